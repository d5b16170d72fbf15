/**
 * The frame codec in WebAssembly, in the AssemblyScript language. What it does is what the plain TypeScript beside it
 * does; what it finds unusual it leaves to that. Addresses are byte positions in `memory`.
 */
import { hash } from './hash';
import { SCRATCH, SCRATCH_BYTES, SLABS, TABLE, TABLE_ROWS } from './layout';
import { addBlocks as addLongBlocks, BLOCK_BYTES, finishLong, startLong } from './long-hash';

export { walkFrame } from './frame';
export { mask } from './mask';
export { putCrc, putHead } from './writer';

export const table = TABLE;
export const tableRows = TABLE_ROWS;
export const scratch = SCRATCH;
export const scratchBytes = SCRATCH_BYTES;
export const slabs = SLABS;
export const blockBytes = BLOCK_BYTES;

/** The CRC of the wire (spec §2): the low 32 bits of the hash. */
export function crc(at: i32, length: i32): u32 {
  return hash(at, length) as u32;
}

/** The same for more than 240 bytes, in parts: start, blocks up to the one with the last byte, the rest. */
export function startCrc(): void {
  startLong();
}

export function addBlocks(at: i32, count: i32): void {
  addLongBlocks(at, count);
}

export function finishCrc(at: i32, tail: i32, length: i32): u32 {
  return finishLong(at, tail, length) as u32;
}
