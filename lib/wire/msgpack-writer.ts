import type { MuxId } from './message.js';

/**
 * Writers of MessagePack: each puts one value into `target` from `at` on and returns where it ends. Integers and
 * lengths take their shortest unsigned form. The room must be there.
 */

export const MAX_UINT_BYTES = 9;
/** The largest header of a string, binary, array or map. */
export const MAX_HEADER_BYTES = 5;

const utf8 = new TextEncoder();

export function putUint(target: Uint8Array, at: number, value: number): number {
  if (value < 0x80) {
    target[at] = value;
    return at + 1;
  }
  if (value <= 0xff) return putLength(target, at, value, 0xcc);
  if (value <= 0xffff) return putLength(target, at, value, 0xcd);
  if (value <= 0xffff_ffff) return putLength(target, at, value, 0xce);
  target[at] = 0xcf;
  putUint32(target, at + 1, Math.floor(value / 0x1_0000_0000));
  return putUint32(target, at + 5, value >>> 0);
}

/** The bytes of an unsigned integer of up to 64 bits. */
export function uintBytes(value: MuxId): number {
  if (value < 0x80) return 1;
  if (value <= 0xff) return 2;
  if (value <= 0xffff) return 3;
  return value <= 0xffff_ffff ? 5 : MAX_UINT_BYTES;
}

export function putMuxId(target: Uint8Array, at: number, value: MuxId): number {
  if (typeof value === 'number') return putUint(target, at, value);
  if (value <= Number.MAX_SAFE_INTEGER) return putUint(target, at, Number(value));
  target[at] = 0xcf;
  putUint32(target, at + 1, Number(value >> 32n));
  return putUint32(target, at + 5, Number(value & 0xffff_ffffn));
}

/** Writes the header of a binary of `length` bytes; returns where it ends. */
export function putBinHeader(target: Uint8Array, at: number, length: number): number {
  return putLength(target, at, length, length <= 0xff ? 0xc4 : length <= 0xffff ? 0xc5 : 0xc6);
}

/** The bytes of that header. */
export function binHeaderBytes(length: number): number {
  if (length <= 0xff) return 2;
  return length <= 0xffff ? 3 : 5;
}

export function putBin(target: Uint8Array, at: number, bytes: Uint8Array): number {
  const start = putBinHeader(target, at, bytes.length);
  target.set(bytes, start);
  return start + bytes.length;
}

export function putStr(target: Uint8Array, at: number, text: string): number {
  const { length } = text;
  if (isShortAscii(text)) {
    const start = putStrHeader(target, at, length);
    for (let i = 0; i < length; i++) target[start + i] = text.charCodeAt(i);
    return start + length;
  }
  const bytes = Buffer.byteLength(text);
  const start = putStrHeader(target, at, bytes);
  utf8.encodeInto(text, target.subarray(start, start + bytes));
  return start + bytes;
}

/** The most bytes that `putStr` can need. */
export function maxStrBytes(text: string): number {
  return MAX_HEADER_BYTES + 3 * text.length;
}

/** The bytes that `putStr` needs. */
export function strBytes(text: string): number {
  const length = isShortAscii(text) ? text.length : Buffer.byteLength(text);
  if (length <= 0x1f) return 1 + length;
  return binHeaderBytes(length) + length;
}

export function putBool(target: Uint8Array, at: number, value: boolean): number {
  target[at] = value ? 0xc3 : 0xc2;
  return at + 1;
}

export function putNil(target: Uint8Array, at: number): number {
  target[at] = 0xc0;
  return at + 1;
}

export function putArrayHeader(target: Uint8Array, at: number, count: number): number {
  return putCount(target, at, count, 0x90, 0xdc);
}

export function putMapHeader(target: Uint8Array, at: number, count: number): number {
  return putCount(target, at, count, 0x80, 0xde);
}

export function countHeaderBytes(count: number): number {
  if (count <= 0x0f) return 1;
  return count <= 0xffff ? 3 : 5;
}

/** Up to so many characters a look at each costs less than the call into the runtime. A `traceparent` has 55. */
const SHORT_TEXT = 64;

function isShortAscii(text: string): boolean {
  const { length } = text;
  if (length > SHORT_TEXT) return false;
  let bits = 0;
  for (let i = 0; i < length; i++) bits |= text.charCodeAt(i);
  return bits < 0x80;
}

function putStrHeader(target: Uint8Array, at: number, length: number): number {
  if (length <= 0x1f) {
    target[at] = 0xa0 | length;
    return at + 1;
  }
  return putLength(target, at, length, length <= 0xff ? 0xd9 : length <= 0xffff ? 0xda : 0xdb);
}

function putCount(target: Uint8Array, at: number, count: number, fix: number, tag16: number): number {
  if (count <= 0x0f) {
    target[at] = fix | count;
    return at + 1;
  }
  if (count > 0xffff) {
    target[at] = tag16 + 1;
    return putUint32(target, at + 1, count);
  }
  target[at] = tag16;
  target[at + 1] = count >>> 8;
  target[at + 2] = count;
  return at + 3;
}

/** A tag and as many big-endian bytes as a value of that size needs. */
function putLength(target: Uint8Array, at: number, value: number, tag: number): number {
  target[at] = tag;
  if (value <= 0xff) {
    target[at + 1] = value;
    return at + 2;
  }
  if (value <= 0xffff) {
    target[at + 1] = value >>> 8;
    target[at + 2] = value;
    return at + 3;
  }
  return putUint32(target, at + 1, value);
}

export function putUint32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}
