import { wasmCodec } from './codec.js';

/**
 * `count` Buffers of so many bytes in the codec's own memory: the CRCs of what is encoded there cost no copy. They
 * start `offset` bytes behind where that memory starts, and there are 10.25 MiB of it in all. None with the plain codec.
 * To be cut once; whoever has them keeps them for good.
 */
export function cutSlabs(bytes: number, count: number, offset = 0): Buffer[] {
  return wasmCodec?.cutSlabs(bytes, count, offset) ?? [];
}

/**
 * Masks bytes as WebSocket does, in place, if they lie in such a Buffer; false if not: then they are as they were.
 * @param key Four bytes, the first of them lowest.
 */
export function maskInPlace(bytes: Uint8Array, key: number): boolean {
  return wasmCodec?.mask(bytes, key) ?? false;
}
