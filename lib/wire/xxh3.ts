import { SECRET32, SECRET_BYTES } from './xxh3-secret.js';

/**
 * XXH3, 64 bit, seed 0, by the xxHash specification (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md)
 * in plain 32-bit arithmetic: a 64-bit value is a pair (high, low) of int32. BigInt would be some hundred times slower.
 * A function that yields 64 bits returns the low half and leaves the high one in `high`.
 */

// taken once: in a vm context (jest) each look at a global costs a hundred times more than the product
const { imul } = Math;

const STRIPE_BYTES = 64;
/** Stripes until the accumulators are scrambled: each starts 8 bytes of the secret later. */
const BLOCK_STRIPES = (SECRET_BYTES - STRIPE_BYTES) / 8;
const BLOCK_BYTES = BLOCK_STRIPES * STRIPE_BYTES;

// not imported: each use of an imported number costs some loads, in sum up to a third of a short hash
const PRIME32_1 = 0x9e3779b1;
const PRIME32_2 = 0x85ebca77;
const PRIME32_3 = 0xc2b2ae3d;
const PRIME64_1_HIGH = 0x9e3779b1;
const PRIME64_1_LOW = 0x85ebca87;
const PRIME64_2_HIGH = 0xc2b2ae3d;
const PRIME64_2_LOW = 0x27d4eb4f;
const PRIME64_3_HIGH = 0x165667b1;
const PRIME64_3_LOW = 0x9e3779f9;
const PRIME64_4_HIGH = 0x85ebca77;
const PRIME64_4_LOW = 0xc2b2ae63;
const PRIME64_5_HIGH = 0x27d4eb2f;
const PRIME64_5_LOW = 0x165667c5;
const PRIME_MX1_HIGH = 0x16566791;
const PRIME_MX1_LOW = 0x9e3779f9;
const PRIME_MX2_HIGH = 0x9fb21c65;
const PRIME_MX2_LOW = 0x1e98df25;

/** The start of the eight accumulators: low, high, low, high, … */
const START = Int32Array.of(
  PRIME32_3, 0, PRIME64_1_LOW, PRIME64_1_HIGH,
  PRIME64_2_LOW, PRIME64_2_HIGH, PRIME64_3_LOW, PRIME64_3_HIGH,
  PRIME64_4_LOW, PRIME64_4_HIGH, PRIME32_2, 0,
  PRIME64_5_LOW, PRIME64_5_HIGH, PRIME32_1, 0,
);

/** Where the secret stands for the last stripe, for scrambling, and for merging the accumulators. */
const LAST_STRIPE_SECRET = SECRET_BYTES - STRIPE_BYTES - 7;
const SCRAMBLE_SECRET = SECRET_BYTES - STRIPE_BYTES;
const MERGE_SECRET = 11;

/** The upper half of the last result of 64 bits. */
let high = 0;

const accumulators = new Int32Array(16);

/** The hash as two unsigned halves of 32 bits. */
export function xxh3_64(bytes: Uint8Array): { hi: number; lo: number } {
  const lo = xxh3Low(bytes, 0, bytes.length) >>> 0;
  return { hi: high >>> 0, lo };
}

/** The low half, as int32, of the hash of [start, end). */
export function xxh3Low(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > 240) return hashLong(bytes, start, end);
  if (length > 128) return hash129to240(bytes, start, end);
  if (length > 16) return hash17to128(bytes, start, end);
  if (length > 8) return hash9to16(bytes, start, end);
  if (length > 3) return hash4to8(bytes, start, end);
  return hash0to3(bytes, start, end);
}

function hash0to3(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return avalanche64(SECRET32[60]! ^ SECRET32[68]!, SECRET32[56]! ^ SECRET32[64]!);
  const first = bytes[start]!;
  const middle = bytes[start + (length >> 1)]!;
  const last = bytes[end - 1]!;
  return avalanche64(0, ((first << 16) | (middle << 24) | last | (length << 8)) ^ SECRET32[0]! ^ SECRET32[4]!);
}

function hash4to8(bytes: Uint8Array, start: number, end: number): number {
  let hi = read32(bytes, start) ^ SECRET32[12]! ^ SECRET32[20]!;
  let lo = read32(bytes, end - 4) ^ SECRET32[8]! ^ SECRET32[16]!;
  // rotations by 49 and by 24 to the left
  const mixedHi = hi ^ ((lo << 17) | (hi >>> 15)) ^ ((hi << 24) | (lo >>> 8));
  const mixedLo = lo ^ ((hi << 17) | (lo >>> 15)) ^ ((lo << 24) | (hi >>> 8));
  lo = multiply(mixedHi, mixedLo, PRIME_MX2_HIGH, PRIME_MX2_LOW);
  hi = high;
  // the shift by 35 leaves 29 bits, so that the length cannot carry out of the low half
  lo ^= (hi >>> 3) + (end - start);
  lo = multiply(hi, lo, PRIME_MX2_HIGH, PRIME_MX2_LOW);
  hi = high;
  high = hi ^ (hi >>> 28);
  return lo ^ ((hi << 4) | (lo >>> 28));
}

function hash9to16(bytes: Uint8Array, start: number, end: number): number {
  const firstLo = read32(bytes, start) ^ SECRET32[24]! ^ SECRET32[32]!;
  const firstHi = read32(bytes, start + 4) ^ SECRET32[28]! ^ SECRET32[36]!;
  const lastLo = read32(bytes, end - 8) ^ SECRET32[40]! ^ SECRET32[48]!;
  const lastHi = read32(bytes, end - 4) ^ SECRET32[44]! ^ SECRET32[52]!;
  const foldedLo = multiplyFold(firstHi, firstLo, lastHi, lastLo);
  const foldedHi = high;
  let lo = add(0, end - start, swap(firstLo), swap(firstHi));
  lo = add(high, lo, lastHi, lastLo);
  lo = add(high, lo, foldedHi, foldedLo);
  return avalanche(high, lo);
}

function hash17to128(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let lo = multiply(0, length, PRIME64_1_HIGH, PRIME64_1_LOW);
  // from both ends inwards
  for (let i = (length - 1) >> 5; i >= 0; i--) {
    lo = addMix16(high, lo, bytes, start + 16 * i, 32 * i);
    lo = addMix16(high, lo, bytes, end - 16 * (i + 1), 32 * i + 16);
  }
  return avalanche(high, lo);
}

function hash129to240(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let lo = multiply(0, length, PRIME64_1_HIGH, PRIME64_1_LOW);
  for (let i = 0; i < 8; i++) lo = addMix16(high, lo, bytes, start + 16 * i, 16 * i);
  lo = avalanche(high, lo);
  const rounds = length >> 4;
  for (let i = 8; i < rounds; i++) lo = addMix16(high, lo, bytes, start + 16 * i, 16 * (i - 8) + 3);
  lo = addMix16(high, lo, bytes, end - 16, 136 - 17);
  return avalanche(high, lo);
}

function hashLong(bytes: Uint8Array, start: number, end: number): number {
  accumulators.set(START);
  // the last stripe is done apart: it ends with the input and overlaps what is before it
  const blocksEnd = start + Math.floor((end - start - 1) / BLOCK_BYTES) * BLOCK_BYTES;
  for (let at = start; at < blocksEnd; at += BLOCK_BYTES) {
    accumulate(bytes, at, BLOCK_STRIPES, 0);
    scramble();
  }
  accumulate(bytes, blocksEnd, Math.floor((end - blocksEnd - 1) / STRIPE_BYTES), 0);
  accumulate(bytes, end - STRIPE_BYTES, 1, LAST_STRIPE_SECRET);

  let lo = multiply(0, end - start, PRIME64_1_HIGH, PRIME64_1_LOW);
  for (let i = 0; i < 4; i++) {
    const sumHi = high;
    const at = 4 * i;
    const secret = MERGE_SECRET + 16 * i;
    const foldedLo = multiplyFold(
      accumulators[at + 1]! ^ SECRET32[secret + 4]!,
      accumulators[at]! ^ SECRET32[secret]!,
      accumulators[at + 3]! ^ SECRET32[secret + 12]!,
      accumulators[at + 2]! ^ SECRET32[secret + 8]!,
    );
    lo = add(sumHi, lo, high, foldedLo);
  }
  return avalanche(high, lo);
}

/**
 * Adds `stripes` stripes to the accumulators, two neighbouring ones at a time: they exchange their input, no others do,
 * and so the four halves stay in registers.
 */
function accumulate(bytes: Uint8Array, start: number, stripes: number, secretStart: number): void {
  for (let pair = 0; pair < 4; pair++) {
    let lo0 = accumulators[4 * pair]!;
    let hi0 = accumulators[4 * pair + 1]!;
    let lo1 = accumulators[4 * pair + 2]!;
    let hi1 = accumulators[4 * pair + 3]!;
    let at = start + 16 * pair;
    let secret = secretStart + 16 * pair;
    for (let stripe = 0; stripe < stripes; stripe++) {
      const inputLo0 = read32(bytes, at);
      const inputHi0 = read32(bytes, at + 4);
      const inputLo1 = read32(bytes, at + 8);
      const inputHi1 = read32(bytes, at + 12);

      let keyLo = inputLo0 ^ SECRET32[secret]!;
      let keyHi = inputHi0 ^ SECRET32[secret + 4]!;
      let productLo = imul(keyLo, keyHi);
      let sumLo = (lo0 + inputLo1) | 0;
      hi0 = (hi0 + inputHi1 + multiplyHigh(keyLo, keyHi) + carry(sumLo, inputLo1)) | 0;
      lo0 = (sumLo + productLo) | 0;
      hi0 = (hi0 + carry(lo0, productLo)) | 0;

      keyLo = inputLo1 ^ SECRET32[secret + 8]!;
      keyHi = inputHi1 ^ SECRET32[secret + 12]!;
      productLo = imul(keyLo, keyHi);
      sumLo = (lo1 + inputLo0) | 0;
      hi1 = (hi1 + inputHi0 + multiplyHigh(keyLo, keyHi) + carry(sumLo, inputLo0)) | 0;
      lo1 = (sumLo + productLo) | 0;
      hi1 = (hi1 + carry(lo1, productLo)) | 0;

      at += STRIPE_BYTES;
      secret += 8;
    }
    accumulators[4 * pair] = lo0;
    accumulators[4 * pair + 1] = hi0;
    accumulators[4 * pair + 2] = lo1;
    accumulators[4 * pair + 3] = hi1;
  }
}

function scramble(): void {
  for (let i = 0; i < 8; i++) {
    const hi = accumulators[2 * i + 1]!;
    // x ^ (x >>> 47) changes the low half only
    const lo = accumulators[2 * i]! ^ (hi >>> 15) ^ SECRET32[SCRAMBLE_SECRET + 8 * i]!;
    accumulators[2 * i] = multiply(hi ^ SECRET32[SCRAMBLE_SECRET + 8 * i + 4]!, lo, 0, PRIME32_1);
    accumulators[2 * i + 1] = high;
  }
}

/** The sum and the folded product of 16 bytes of input with 16 of the secret. */
function addMix16(sumHi: number, sumLo: number, bytes: Uint8Array, at: number, secret: number): number {
  const lo = multiplyFold(
    read32(bytes, at + 4) ^ SECRET32[secret + 4]!,
    read32(bytes, at) ^ SECRET32[secret]!,
    read32(bytes, at + 12) ^ SECRET32[secret + 12]!,
    read32(bytes, at + 8) ^ SECRET32[secret + 8]!,
  );
  return add(sumHi, sumLo, high, lo);
}

function avalanche(hi: number, lo: number): number {
  const mixed = multiply(hi, lo ^ (hi >>> 5), PRIME_MX1_HIGH, PRIME_MX1_LOW);
  return mixed ^ high;
}

/** The older finish, which hashes of 0 to 3 bytes have kept. */
function avalanche64(hi: number, lo: number): number {
  const first = multiply(hi, lo ^ (hi >>> 1), PRIME64_2_HIGH, PRIME64_2_LOW);
  const firstHi = high ^ (high >>> 29);
  const second = multiply(firstHi, first ^ ((high << 3) | (first >>> 29)), PRIME64_3_HIGH, PRIME64_3_LOW);
  return second ^ high;
}

function add(aHi: number, aLo: number, bHi: number, bLo: number): number {
  const lo = (aLo + bLo) | 0;
  high = (aHi + bHi + carry(lo, bLo)) | 0;
  return lo;
}

/** 1 iff a sum of two 32-bit values, one of which is `part`, went past 32 bits. */
function carry(sum: number, part: number): number {
  return sum >>> 0 < part >>> 0 ? 1 : 0;
}

/** The low 64 bits of a product of two 64-bit values. */
function multiply(aHi: number, aLo: number, bHi: number, bLo: number): number {
  high = (multiplyHigh(aLo, bLo) + imul(aHi, bLo) + imul(aLo, bHi)) | 0;
  return imul(aLo, bLo);
}

/** The upper 64 bits of the 128-bit product xor the lower 64. */
function multiplyFold(aHi: number, aLo: number, bHi: number, bLo: number): number {
  const bottom = imul(aLo, bLo);
  const left = imul(aHi, bLo);
  const right = imul(aLo, bHi);
  const top = imul(aHi, bHi);
  // the second 32 bits, and what goes over into the third
  const sum = (multiplyHigh(aLo, bLo) + left) | 0;
  const second = (sum + right) | 0;
  const over = carry(sum, left) + carry(second, right);
  // the third and the fourth
  const rightHigh = (multiplyHigh(aLo, bHi) + over) | 0; // cannot go past 32 bits
  const leftHigh = multiplyHigh(aHi, bLo);
  const partial = (rightHigh + leftHigh) | 0;
  const third = (partial + top) | 0;
  const fourth = (multiplyHigh(aHi, bHi) + carry(partial, leftHigh) + carry(third, top)) | 0;
  high = fourth ^ second;
  return third ^ bottom;
}

/** The upper 32 bits of a product of two unsigned 32-bit values, from four products of 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const cross = (imul(aHigh, bLow) + (imul(aLow, bLow) >>> 16)) | 0;
  const rest = (imul(aLow, bHigh) + (cross & 0xffff)) | 0;
  return (imul(aHigh, bHigh) + (cross >>> 16) + (rest >>> 16)) | 0;
}

function read32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function swap(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}
