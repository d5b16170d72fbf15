import { GridError } from '../errors/index.js';
import { TIMESTAMP_EXT } from './msgpack-format.js';
import { ValueSlab } from './value-slab.js';

/** Strings up to this length are written by a loop: cheaper than the call into the runtime. */
const SHORT_STRING = 24;
/** Bytes in front of the longest string. */
const MAX_HEADER = 5;
const TWO_32 = 2 ** 32;

/** Writes the parts of one MessagePack value after the other. */
export class ValueWriter extends ValueSlab {
  putNumber(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.room(9);
      this.slab[this.at] = 0xcb;
      this.at = this.slab.writeDoubleBE(value, this.at + 1);
    } else if (value >= 0) {
      this.putUint(value);
    } else {
      this.putNegative(value);
    }
  }

  private putUint(value: number): void {
    this.room(9);
    const { slab } = this;
    if (value < 0x80) {
      slab[this.at++] = value;
    } else if (value <= 0xff) {
      slab[this.at++] = 0xcc;
      slab[this.at++] = value;
    } else if (value <= 0xffff) {
      slab[this.at++] = 0xcd;
      slab[this.at++] = value >>> 8;
      slab[this.at++] = value;
    } else if (value < TWO_32) {
      this.headerAt(this.at, 0xce, value);
      this.at += 5;
    } else {
      this.headerAt(this.at, 0xcf, Math.floor(value / TWO_32));
      this.at = slab.writeUInt32BE(value % TWO_32, this.at + 5);
    }
  }

  private putNegative(value: number): void {
    this.room(9);
    const { slab } = this;
    if (value >= -0x20) {
      slab[this.at++] = value & 0xff;
    } else if (value >= -0x80) {
      slab[this.at++] = 0xd0;
      slab[this.at++] = value & 0xff;
    } else if (value >= -0x8000) {
      slab[this.at] = 0xd1;
      this.at = slab.writeInt16BE(value, this.at + 1);
    } else if (value >= -0x8000_0000) {
      slab[this.at] = 0xd2;
      this.at = slab.writeInt32BE(value, this.at + 1);
    } else {
      slab[this.at] = 0xd3;
      this.at = slab.writeBigInt64BE(BigInt(value), this.at + 1);
    }
  }

  /** A bigint as an integer like any other. */
  putInt64(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.putNumber(Number(value));
      return;
    }
    this.room(9);
    if (value > 0n && value < 2n ** 64n) {
      this.slab[this.at] = 0xcf;
      this.at = this.slab.writeBigUInt64BE(value, this.at + 1);
    } else if (value < 0n && value >= -(2n ** 63n)) {
      this.slab[this.at] = 0xd3;
      this.at = this.slab.writeBigInt64BE(value, this.at + 1);
    } else {
      throw unfit('a bigint of more than 64 bits');
    }
  }

  putDate(date: Date): void {
    const ms = date.getTime();
    if (Number.isNaN(ms)) throw unfit('an invalid Date');
    const seconds = Math.floor(ms / 1000);
    const nanos = (ms - seconds * 1000) * 1e6;
    this.room(15);
    const { slab } = this;
    if (seconds >= 0 && seconds < TWO_32 && nanos === 0) {
      slab[this.at] = 0xd6;
      slab.writeInt8(TIMESTAMP_EXT, this.at + 1);
      this.at = slab.writeUInt32BE(seconds, this.at + 2);
      return;
    }
    // 96 bits: seconds before 1970 and after 2106 too
    slab[this.at] = 0xc7;
    slab[this.at + 1] = 12;
    slab.writeInt8(TIMESTAMP_EXT, this.at + 2);
    slab.writeUInt32BE(nanos, this.at + 3);
    this.at = slab.writeBigInt64BE(BigInt(seconds), this.at + 7);
  }

  putString(text: string): void {
    const { length } = text;
    if (length <= SHORT_STRING && this.putShort(text)) return;
    // a character takes three bytes at most; they are counted only where there is no room for so many
    if (this.at + MAX_HEADER + 3 * length > this.limit) this.room(MAX_HEADER + Buffer.byteLength(text));
    const { slab, at } = this;
    const likely = headerOf(length);
    const bytes = slab.write(text, at + likely, 'utf8');
    const header = headerOf(bytes);
    if (header !== likely) slab.copyWithin(at + header, at + likely, at + likely + bytes);
    if (bytes <= 0x1f) slab[this.at++] = 0xa0 | bytes;
    else this.putLength(bytes, 0xd9);
    this.at += bytes;
  }

  /** Short ASCII text by a loop; false for any other. */
  private putShort(text: string): boolean {
    const { length } = text;
    this.room(1 + SHORT_STRING);
    const { slab } = this;
    let at = this.at + 1;
    let i = 0;
    for (; i + 4 <= length; i += 4, at += 4) {
      const a = text.charCodeAt(i);
      const b = text.charCodeAt(i + 1);
      const c = text.charCodeAt(i + 2);
      const d = text.charCodeAt(i + 3);
      if ((a | b | c | d) >= 0x80) return false;
      slab[at] = a;
      slab[at + 1] = b;
      slab[at + 2] = c;
      slab[at + 3] = d;
    }
    for (; i < length; i++, at++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return false;
      slab[at] = unit;
    }
    slab[this.at] = 0xa0 | length;
    this.at = at;
    return true;
  }

  putBin(bytes: Uint8Array): void {
    this.room(MAX_HEADER);
    this.putLength(bytes.length, 0xc4);
    this.putBytes(bytes);
  }

  /** A tag of three, for 8, 16 and 32 bits, and the length. */
  private putLength(length: number, tag8: number): void {
    const { slab } = this;
    if (length <= 0xff) {
      slab[this.at++] = tag8;
      slab[this.at++] = length;
    } else if (length <= 0xffff) {
      slab[this.at++] = tag8 + 1;
      slab[this.at++] = length >>> 8;
      slab[this.at++] = length;
    } else {
      this.headerAt(this.at, tag8 + 2, length);
      this.at += 5;
    }
  }

  putCount(count: number, fix: number, tag16: number): void {
    this.room(MAX_HEADER);
    if (count <= 0x0f) {
      this.slab[this.at++] = fix | count;
    } else if (count <= 0xffff) {
      this.slab[this.at++] = tag16;
      this.slab[this.at++] = count >>> 8;
      this.slab[this.at++] = count;
    } else {
      this.headerAt(this.at, tag16 + 1, count);
      this.at += 5;
    }
  }

  /** Makes the one byte there a tag of two, for 16 and 32 bits, and a count; what was written behind it moves. */
  widenCount(offset: number, count: number, tag16: number): void {
    const bytes = count <= 0xffff ? 3 : MAX_HEADER;
    this.room(bytes - 1);
    const from = this.start + offset;
    this.slab.copyWithin(from + bytes, from + 1, this.at);
    const end = this.at + bytes - 1;
    this.at = from;
    this.putCount(count, 0x80, tag16);
    this.at = end;
  }

  /** A tag and 32 bits at a place that was skipped. */
  wordAt(offset: number, tag: number, value: number): void {
    this.headerAt(this.start + offset, tag, value);
  }

  /** A tag and 32 bits, in room that is there. */
  private headerAt(at: number, tag: number, value: number): void {
    this.slab[at] = tag;
    this.slab.writeUInt32BE(value, at + 1);
  }
}

/** Bytes in front of a string of so many. */
function headerOf(bytes: number): number {
  if (bytes <= 0x1f) return 1;
  if (bytes <= 0xff) return 2;
  return bytes <= 0xffff ? 3 : MAX_HEADER;
}

const UNFIT = 'codec msgpack() cannot hold';

export function unfit(what: string): GridError {
  return new GridError('INVALID_ARGUMENT', `${UNFIT} ${what}`);
}

/** Whether an error is one that `unfit` made. */
export function isUnfit(thrown: unknown): thrown is GridError {
  return GridError.is(thrown) && thrown.message.startsWith(UNFIT);
}
