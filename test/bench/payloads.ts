import { randomBytes } from 'node:crypto';
import { ITEM_BYTES } from './api.js';

const PAYLOADS = 64;
/** All of them together; of big ones there are fewer, at least two. */
const MOST_BYTES = 8 * 1024 * 1024;

/** Different random payloads, taken in turn: 64 of up to 128 KiB, 8 of 1 MiB. */
export function rotatingPayloads(bytes: number): readonly Uint8Array[] {
  const length = Math.max(2, Math.min(PAYLOADS, Math.floor(MOST_BYTES / bytes)));
  return Array.from({ length }, () => new Uint8Array(randomBytes(bytes)));
}

const items = rotatingPayloads(ITEM_BYTES);

/** The message of a stream at that place. */
export function itemPayload(index: number): Uint8Array {
  return items[index % PAYLOADS]!;
}
