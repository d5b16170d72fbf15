import { avalanche, hashLong } from './long-hash';
import { multiplyFold } from './multiply';
import { PRIME64_1, PRIME64_2, PRIME64_3, PRIME_MX2 } from './prime';
import { secretAt } from './secret';

/** XXH3, 64 bit, seed 0, of any length. The plain twin is `lib/wire/xxh3.ts`. */
export function hash(at: usize, length: i32): u64 {
  if (length > 240) return hashLong(at, length);
  if (length > 128) return hash129to240(at, length);
  if (length > 16) return hash17to128(at, length);
  if (length > 8) return hash9to16(at, length);
  if (length > 3) return hash4to8(at, length);
  return hash0to3(at, length);
}

function hash0to3(at: usize, length: i32): u64 {
  if (length === 0) return avalanche64(secretAt(56) ^ secretAt(64));
  const first = load<u8>(at) as u32;
  const middle = load<u8>(at + (length >> 1)) as u32;
  const last = load<u8>(at + length - 1) as u32;
  const bytes = (first << 16) | (middle << 24) | last | (length << 8);
  return avalanche64((bytes ^ (secretAt(0) as u32) ^ (secretAt(4) as u32)) as u64);
}

function hash4to8(at: usize, length: i32): u64 {
  const first = load<u32>(at) as u64;
  const last = load<u32>(at + length - 4) as u64;
  const keyed = (last + (first << 32)) ^ secretAt(8) ^ secretAt(16);
  const mixed = (keyed ^ rotl<u64>(keyed, 49) ^ rotl<u64>(keyed, 24)) * PRIME_MX2;
  const folded = (mixed ^ ((mixed >> 35) + length)) * PRIME_MX2;
  return folded ^ (folded >> 28);
}

function hash9to16(at: usize, length: i32): u64 {
  const first = load<u64>(at) ^ secretAt(24) ^ secretAt(32);
  const last = load<u64>(at + length - 8) ^ secretAt(40) ^ secretAt(48);
  return avalanche((length as u64) + bswap<u64>(first) + last + multiplyFold(first, last));
}

function hash17to128(at: usize, length: i32): u64 {
  let sum = (length as u64) * PRIME64_1;
  // from both ends inwards
  for (let i = (length - 1) >> 5; i >= 0; i--) {
    sum += mix16(at + 16 * i, 32 * i);
    sum += mix16(at + length - 16 * (i + 1), 32 * i + 16);
  }
  return avalanche(sum);
}

function hash129to240(at: usize, length: i32): u64 {
  let sum = (length as u64) * PRIME64_1;
  for (let i = 0; i < 8; i++) sum += mix16(at + 16 * i, 16 * i);
  sum = avalanche(sum);
  for (let i = 8; i < length >> 4; i++) sum += mix16(at + 16 * i, 16 * (i - 8) + 3);
  sum += mix16(at + length - 16, 136 - 17);
  return avalanche(sum);
}

/** The folded product of 16 bytes of input with 16 of the secret. */
function mix16(at: usize, secret: usize): u64 {
  return multiplyFold(load<u64>(at) ^ secretAt(secret), load<u64>(at, 8) ^ secretAt(secret + 8));
}

/** The older finish, which hashes of 0 to 3 bytes have kept. */
function avalanche64(hash: u64): u64 {
  hash = (hash ^ (hash >> 33)) * PRIME64_2;
  hash = (hash ^ (hash >> 29)) * PRIME64_3;
  return hash ^ (hash >> 32);
}
