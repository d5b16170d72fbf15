import { wasmCodec } from './codec.js';

/**
 * Buffers of so many bytes in the codec's own memory: the CRCs of what is encoded there cost no copy. There are
 * `24 * 256 KiB` in all, none with the plain codec. To be cut once; whoever has them keeps them for good.
 */
export function cutSlabs(bytes: number): Buffer[] {
  return wasmCodec?.cutSlabs(bytes) ?? [];
}
