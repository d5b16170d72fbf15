import { ACCUMULATORS } from './layout';
import { multiplyFold } from './multiply';
import {
  PRIME32_1,
  PRIME32_2,
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
  PRIME_MX1,
} from './prime';
import { SECRET_BYTES, secretAt } from './secret';
import * as scalar from './stripes-scalar';
import * as simd from './stripes-simd';

/** What the accumulators are before the first stripe. */
const FIRST_SUMS: usize = memory.data<u64>([
  PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1,
]);

const STRIPE_BYTES: i32 = 64;
/** Stripes until the accumulators are scrambled: each starts 8 bytes of the secret later. */
const BLOCK_STRIPES: i32 = (SECRET_BYTES - STRIPE_BYTES) / 8;
export const BLOCK_BYTES: i32 = BLOCK_STRIPES * STRIPE_BYTES;

const SCRAMBLE_SECRET: usize = SECRET_BYTES - STRIPE_BYTES;
/** Where the secret stands for merging the accumulators. */
const MERGE_SECRET: usize = 11;

/** XXH3 of more than 240 bytes. */
export function hashLong(at: usize, length: i32): u64 {
  // the last stripe is done apart: it ends with the input and overlaps what is before it
  if (length <= BLOCK_BYTES) return finish(FIRST_SUMS, at, length, length);
  const blocks = (length - 1) / BLOCK_BYTES;
  startLong();
  addBlocks(at, blocks);
  return finishLong(at + blocks * BLOCK_BYTES, length - blocks * BLOCK_BYTES, length);
}

/** Starts a hash in parts: `addBlocks` for all of its blocks that do not hold its last byte, then `finishLong`. */
export function startLong(): void {
  memory.copy(ACCUMULATORS, FIRST_SUMS, 64);
}

export function addBlocks(at: usize, count: i32): void {
  for (let block = 0; block < count; block++) {
    addStripes(ACCUMULATORS, at, BLOCK_STRIPES, 0);
    scramble(SCRAMBLE_SECRET);
    at += BLOCK_BYTES;
  }
}

/**
 * The hash of `length` bytes in all. `tail` bytes (1 to 1024) stand at `at`; the 64 bytes in front of the end are read
 * again, so where the tail is shorter, what came before it must stand there still.
 */
export function finishLong(at: usize, tail: i32, length: i32): u64 {
  return finish(ACCUMULATORS, at, tail, length);
}

function finish(sums: usize, at: usize, tail: i32, length: i32): u64 {
  addStripes(sums, at, (tail - 1) / STRIPE_BYTES, at + tail - STRIPE_BYTES);
  let sum = (length as u64) * PRIME64_1;
  for (let lane: usize = 0; lane < 64; lane += 16) {
    const even = load<u64>(ACCUMULATORS + lane) ^ secretAt(MERGE_SECRET + lane);
    const odd = load<u64>(ACCUMULATORS + lane, 8) ^ secretAt(MERGE_SECRET + lane + 8);
    sum += multiplyFold(even, odd);
  }
  return avalanche(sum);
}

export function avalanche(hash: u64): u64 {
  const mixed = (hash ^ (hash >> 37)) * PRIME_MX1;
  return mixed ^ (mixed >> 32);
}

// decided by the compiler: each of the two modules holds one of the two

function addStripes(sums: usize, from: usize, count: i32, last: usize): void {
  if (ASC_FEATURE_SIMD) simd.addStripes(sums, from, count, last);
  else scalar.addStripes(sums, from, count, last);
}

function scramble(secret: usize): void {
  if (ASC_FEATURE_SIMD) simd.scramble(secret);
  else scalar.scramble(secret);
}
