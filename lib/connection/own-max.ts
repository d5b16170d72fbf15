import { MESSAGE_OVERHEAD } from '../mux/index.js';
import { LEAST_MAX, METADATA_BYTES } from '../wire/index.js';
import type { ConnectionLimits } from './limits.js';

/**
 * What this end announces as its `Max` (wire spec §11): the largest payload fits, whatever stands around it, and one
 * that we would refuse must not look as if it were let in.
 */
export function ownMax({ frameBytes, messageBytes }: ConnectionLimits): number {
  return Math.min(frameBytes, Math.max(LEAST_MAX, messageBytes + MESSAGE_OVERHEAD + METADATA_BYTES));
}
