import { randomBytes } from 'node:crypto';
import { ITEM_BYTES } from './api.js';

const PAYLOADS = 64;

/** Different random payloads, taken in turn. */
export function rotatingPayloads(bytes: number): readonly Uint8Array[] {
  return Array.from({ length: PAYLOADS }, () => new Uint8Array(randomBytes(bytes)));
}

const items = rotatingPayloads(ITEM_BYTES);

/** The message of a stream at that place. */
export function itemPayload(index: number): Uint8Array {
  return items[index % PAYLOADS]!;
}
