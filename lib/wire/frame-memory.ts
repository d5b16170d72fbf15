import { wasmCodec } from './codec.js';

/** Up to here plain code is faster than to copy the bytes in and out. */
const PLAIN_BYTES = 64;

/**
 * `count` Buffers of so many bytes in the codec's own memory: the CRCs of what is encoded there cost no copy. They
 * start `offset` bytes behind where that memory starts, and there are 10.25 MiB of it in all. None with the plain
 * codec. To be cut once; whoever has them keeps them for good.
 */
export function cutSlabs(bytes: number, count: number, offset = 0): Buffer[] {
  return wasmCodec?.cutSlabs(bytes, count, offset) ?? [];
}

/**
 * Masks bytes as WebSocket does, in place, and takes the same mask off again (RFC 6455 §5.3). In a Buffer of `cutSlabs`
 * it costs no copy.
 * @param key Four bytes, the first of them lowest.
 */
export function maskInPlace(bytes: Uint8Array, key: number): void {
  if (key === 0) return;
  if (wasmCodec && bytes.length > PLAIN_BYTES) wasmCodec.mask(bytes, key);
  else maskPlainly(bytes, key);
}

/** What the WebAssembly codec does, in plain TypeScript. */
export function maskPlainly(bytes: Uint8Array, key: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= key >>> (8 * (i & 3));
}
