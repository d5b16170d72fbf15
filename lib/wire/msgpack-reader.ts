import type { GridError } from '../errors/index.js';
import { decodeErrorText } from './error-text.js';
import type { MuxId } from './message.js';
import { MsgpackNames } from './msgpack-names.js';
import { readStrictText } from './msgpack-text.js';
import { violation } from './violation.js';

/** MessagePack types as this reader tells them apart. */
export type MsgpackKind =
  'uint' | 'negative' | 'nil' | 'bool' | 'float' | 'str' | 'bin' | 'array' | 'map' | 'ext' | 'unused';

const names = new MsgpackNames(readStrictText);

/**
 * Reads MessagePack within [at, end) of `bytes`. Never reads outside, copies nothing but strings, and believes no
 * length before it knows that so many bytes are there. Throws a violation (`GridError`) and nothing else.
 */
export class MsgpackReader {
  at: number;
  end: number;

  constructor(
    readonly bytes: Uint8Array,
    at = 0,
    end = bytes.length,
  ) {
    this.at = at;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  /** The next byte, consumed. */
  byte(): number {
    if (this.at >= this.end) throw truncated();
    return this.bytes[this.at++]!;
  }

  /** The type of the next value, nothing consumed. */
  kind(): MsgpackKind {
    if (this.at >= this.end) throw truncated();
    const tag = this.bytes[this.at]!;
    const isSigned = tag >= 0xd0 && tag <= 0xd3;
    return isSigned && this.remaining > 1 && this.bytes[this.at + 1]! >= 0x80 ? 'negative' : kindOf(tag);
  }

  /** A non-negative integer of any width up to `max` (at least 127, at most 2^32-1). `field` names it in the error. */
  uint(max: number, field: string): number {
    const at = this.at;
    if (at < this.end) {
      const tag = this.bytes[at]!;
      if (tag < 0x80) {
        this.at = at + 1;
        return tag;
      }
    }
    const value = this.uint64(field);
    if (value > max) throw violation(`${field} is ${value}, at most ${max} is allowed`);
    return Number(value);
  }

  /** A non-negative integer of any width: a number up to 2^53-1, a bigint above. */
  uint64(field: string): MuxId {
    const { bytes } = this;
    const tag = this.byte();
    if (tag < 0x80) return tag;
    const at = this.at;
    switch (tag) {
      case 0xcc:
        this.advance(1);
        return bytes[at]!;
      case 0xcd:
        this.advance(2);
        return (bytes[at]! << 8) | bytes[at + 1]!;
      case 0xce:
        this.advance(4);
        return uint32At(bytes, at);
      case 0xcf:
        break;
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.signed(1 << (tag - 0xd0), field);
      default:
        throw violation(`${field} is not a non-negative integer`);
    }
    this.advance(8);
    return uint64At(bytes, at);
  }

  /** The header of a binary: its length, known to be there. */
  binHeader(field: string): number {
    const tag = this.byte();
    if (tag < 0xc4 || tag > 0xc6) throw violation(`${field} is not a binary`);
    return this.claim(this.size(1 << (tag - 0xc4)), 1, field);
  }

  /** A view of a binary's bytes. */
  bin(field: string): Uint8Array {
    return this.view(this.binHeader(field));
  }

  /** The header of a string of any width: its length in bytes, known to be there. */
  strHeader(field: string): number {
    const tag = this.byte();
    if (tag >= 0xa0 && tag <= 0xbf) return this.claim(tag & 0x1f, 1, field);
    if (tag < 0xd9 || tag > 0xdb) throw violation(`${field} is not a string`);
    return this.claim(this.size(1 << (tag - 0xd9)), 1, field);
  }

  /** A string; invalid UTF-8 is a violation. */
  str(field: string): string {
    return this.strictText(field, false);
  }

  /** The same for the name of a property: others had it before. */
  name(field: string): string {
    return this.strictText(field, true);
  }

  /** A string that people read: invalid UTF-8 becomes U+FFFD. */
  text(field: string): string {
    return decodeErrorText(this.view(this.strHeader(field)));
  }

  bool(field: string): boolean {
    const tag = this.byte();
    if (tag !== 0xc2 && tag !== 0xc3) throw violation(`${field} is not a boolean`);
    return tag === 0xc3;
  }

  /** The header of an array of any width: the number of its items, each of which has room for its first byte. */
  arrayHeader(field: string): number {
    const tag = this.byte();
    if (tag >= 0x90 && tag <= 0x9f) return this.claim(tag & 0x0f, 1, field);
    if (tag !== 0xdc && tag !== 0xdd) throw violation(`${field} is not an array`);
    return this.claim(this.size(tag === 0xdc ? 2 : 4), 1, field);
  }

  /** The header of a map of any width: the number of its pairs, each of which has room for its first two bytes. */
  mapHeader(field: string): number {
    const tag = this.byte();
    if (tag >= 0x80 && tag <= 0x8f) return this.claim(tag & 0x0f, 2, field);
    if (tag !== 0xde && tag !== 0xdf) throw violation(`${field} is not a map`);
    return this.claim(this.size(tag === 0xde ? 2 : 4), 2, field);
  }

  /** The header of an extension of any width: the length of its content, known to be there, and then its type. */
  extHeader(field: string): number {
    const tag = this.byte();
    let length: number;
    if (tag >= 0xd4 && tag <= 0xd8) length = 1 << (tag - 0xd4);
    else if (tag >= 0xc7 && tag <= 0xc9) length = this.size(1 << (tag - 0xc7));
    else throw violation(`${field} is not an extension`);
    this.claim(length + 1, 1, field);
    return length;
  }

  /** Passes over bytes that may be missing. */
  advance(count: number): void {
    const at = this.at + count;
    if (at > this.end) throw truncated();
    this.at = at;
  }

  /** Passes over one value of any type with all that is in it, however deeply nested. */
  skip(): void {
    // counting what is still to come needs no stack that a hostile peer could make overflow
    for (let values = 1; values > 0; values--) {
      switch (this.kind()) {
        case 'array':
          values += this.arrayHeader('value');
          break;
        case 'map':
          values += 2 * this.mapHeader('value');
          break;
        case 'str':
          this.advance(this.strHeader('value'));
          break;
        case 'bin':
          this.advance(this.binHeader('value'));
          break;
        case 'ext':
          this.advance(this.extHeader('value') + 1);
          break;
        case 'unused':
          throw violation('an unused MessagePack type');
        default:
          this.advance(1 + scalarBytes(this.bytes[this.at]!));
      }
      if (values - 1 > this.remaining) throw truncated();
    }
  }

  /** Throws if something follows. */
  finish(what: string): void {
    if (this.at !== this.end) throw violation(`${this.remaining} bytes left over after ${what}`);
  }

  /** A view of the next `length` bytes, which are known to be there. */
  view(length: number): Uint8Array {
    const { bytes, at } = this;
    this.at = at + length;
    // not subarray: that would give a Buffer where the frame is one
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at, length);
  }

  private strictText(field: string, isName: boolean): string {
    const length = this.strHeader(field);
    const { bytes, at } = this;
    this.at = at + length;
    try {
      return isName ? names.read(bytes, at, length) : readStrictText(bytes, at, length);
    } catch {
      throw violation(`${field} is not valid UTF-8`);
    }
  }

  private signed(width: number, field: string): MuxId {
    const at = this.at;
    this.advance(width);
    if (this.bytes[at]! >= 0x80) throw violation(`${field} is negative`);
    if (width === 8) return uint64At(this.bytes, at);
    let value = 0;
    for (let i = 0; i < width; i++) value = (value << 8) | this.bytes[at + i]!;
    return value;
  }

  private size(width: number): number {
    const at = this.at;
    this.advance(width);
    if (width === 1) return this.bytes[at]!;
    if (width === 2) return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
    return uint32At(this.bytes, at);
  }

  private claim(count: number, bytesEach: number, field: string): number {
    if (count * bytesEach > this.end - this.at) throw violation(`${field} claims more than the frame holds`);
    return count;
  }
}

function truncated(): GridError {
  return violation('the bytes end in the middle of a value');
}

function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function uint64At(bytes: Uint8Array, at: number): MuxId {
  const high = uint32At(bytes, at);
  const low = uint32At(bytes, at + 4);
  // 2^21 * 2^32: the first value that a plain number cannot hold exactly together with its neighbours
  return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
}

// from 0xc0 to 0xdf; the signed integers 0xd0 to 0xd3 are 'uint' here and looked at again
const KINDS: readonly MsgpackKind[] = [
  ...(['nil', 'unused', 'bool', 'bool'] as const),
  ...(['bin', 'bin', 'bin', 'ext', 'ext', 'ext', 'float', 'float'] as const),
  ...(['uint', 'uint', 'uint', 'uint', 'uint', 'uint', 'uint', 'uint'] as const),
  ...(['ext', 'ext', 'ext', 'ext', 'ext', 'str', 'str', 'str', 'array', 'array', 'map', 'map'] as const),
];

function kindOf(tag: number): MsgpackKind {
  if (tag < 0x80) return 'uint';
  if (tag < 0x90) return 'map';
  if (tag < 0xa0) return 'array';
  if (tag < 0xc0) return 'str';
  return tag < 0xe0 ? KINDS[tag - 0xc0]! : 'negative';
}

/** Bytes that follow the tag of a value without length: integers, floats, nil, booleans. */
function scalarBytes(tag: number): number {
  if (tag >= 0xcc && tag <= 0xcf) return 1 << (tag - 0xcc);
  if (tag >= 0xd0 && tag <= 0xd3) return 1 << (tag - 0xd0);
  if (tag === 0xca) return 4;
  return tag === 0xcb ? 8 : 0;
}
