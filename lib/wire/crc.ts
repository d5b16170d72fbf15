import { wasmCodec } from './codec.js';
import { xxh3Low } from './xxh3.js';

/** Bytes of the CRC at the end of a message with `Flag.Crc`, little-endian (wire spec §2). */
export const CRC_BYTES = 4;

/** The low 32 bits of XXH3 (64 bit, seed 0) of [start, end), unsigned. */
export function crcOf(bytes: Uint8Array, start: number, end: number): number {
  return wasmCodec === undefined ? xxh3Low(bytes, start, end) >>> 0 : wasmCodec.crcOf(bytes, start, end);
}

/** Writes one as it travels. */
export function putCrc(target: Uint8Array, at: number, crc: number): void {
  target[at] = crc;
  target[at + 1] = crc >>> 8;
  target[at + 2] = crc >>> 16;
  target[at + 3] = crc >>> 24;
}

export function crcAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
