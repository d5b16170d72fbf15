import { wasmCodec } from './codec.js';
import { xxh3Low } from './xxh3.js';

/** Bytes of the CRC at the end of a message with `Flag.Crc`, little-endian (wire spec §2). */
export const CRC_BYTES = 4;

/** The low 32 bits of XXH3 (64 bit, seed 0) of [start, end), unsigned. */
export function crcOf(bytes: Uint8Array, start: number, end: number): number {
  return wasmCodec === undefined ? xxh3Low(bytes, start, end) >>> 0 : wasmCodec.crcOf(bytes, start, end);
}

/** Writes the CRC of [start, end) behind it, and returns where that ends. */
export function putCrc(target: Uint8Array, start: number, end: number): number {
  if (!wasmCodec?.putCrc(target, start, end)) {
    const crc = crcOf(target, start, end);
    target[end] = crc;
    target[end + 1] = crc >>> 8;
    target[end + 2] = crc >>> 16;
    target[end + 3] = crc >>> 24;
  }
  return end + CRC_BYTES;
}

export function crcAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
