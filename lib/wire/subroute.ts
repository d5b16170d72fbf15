import { createHash } from 'node:crypto';

/** Bytes of a subroute id on the wire (wire spec §7). */
export const SUBROUTE_BYTES = 32;

/**
 * The id of a handler's subroute: SHA-256 of the text with byte 0 replaced by the handler ID and byte 1 by 0 (wire
 * spec §7). `handler` is 0 to 255. Not for the hot path: make it once per pattern.
 */
export function subrouteId(handler: number, subroute: string): Uint8Array {
  const id = new Uint8Array(createHash('sha256').update(subroute).digest());
  id[0] = handler;
  id[1] = 0;
  return id;
}

/** An id as 64 lower-case hex digits: the form in refusals and the key of handler tables. */
export function subrouteKey(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex');
}
