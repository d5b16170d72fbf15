import { hash } from './hash';

const ARRAY_OF_7: u8 = 0x97;

/**
 * Writes a message from its first byte up to its payload, whose header is the last of it, and returns where that ends.
 * The plain twin is `putHead` in lib/wire/message-codec.ts. `muxId` is an integer less than 2^53.
 */
export function putHead(
  at: usize,
  muxId: f64,
  seq: u32,
  deadlineMs: u32,
  handler: u32,
  op: u32,
  flags: u32,
  payloadBytes: u32,
): usize {
  store<u8>(at, ARRAY_OF_7);
  at = putUint64(at + 1, muxId as u64);
  at = putUint(at, seq);
  at = putUint(at, deadlineMs);
  at = putUint(at, handler);
  at = putUint(at, op);
  at = putUint(at, flags);
  return putLength(at, payloadBytes, payloadBytes <= 0xff ? 0xc4 : payloadBytes <= 0xffff ? 0xc5 : 0xc6);
}

/** Writes the CRC of so many bytes behind them. */
export function putCrc(at: usize, length: i32): void {
  store<u32>(at + length, hash(at, length) as u32);
}

function putUint64(at: usize, value: u64): usize {
  if (value <= u32.MAX_VALUE) return putUint(at, value as u32);
  store<u8>(at, 0xcf);
  store<u64>(at, bswap<u64>(value), 1);
  return at + 9;
}

function putUint(at: usize, value: u32): usize {
  if (value < 0x80) {
    store<u8>(at, value as u8);
    return at + 1;
  }
  return putLength(at, value, value <= 0xff ? 0xcc : value <= 0xffff ? 0xcd : 0xce);
}

/** A tag and as many big-endian bytes as a value of that size needs. */
function putLength(at: usize, value: u32, tag: u32): usize {
  store<u8>(at, tag as u8);
  if (value <= 0xff) {
    store<u8>(at, value as u8, 1);
    return at + 2;
  }
  if (value <= 0xffff) {
    store<u16>(at, bswap<u16>(value as u16), 1);
    return at + 3;
  }
  store<u32>(at, bswap<u32>(value), 1);
  return at + 5;
}
