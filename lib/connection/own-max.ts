import { MESSAGE_OVERHEAD } from '../mux/index.js';
import { LEAST_MAX, METADATA_BYTES } from '../wire/index.js';
import type { ConnectionLimits } from './limits.js';

/** What this end announces as its `Max` (wire spec §11). */
export function ownMax(limits: ConnectionLimits): number {
  return Math.min(limits.frameBytes, Math.max(LEAST_MAX, mostTaken(limits)));
}

/** The largest payload with whatever may stand around it. Who was told so may send a message that is all payload. */
export function mostTaken({ messageBytes }: ConnectionLimits): number {
  return messageBytes + MESSAGE_OVERHEAD + METADATA_BYTES;
}
