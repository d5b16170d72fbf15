import { GridError } from '../errors/index.js';
import { BufferView } from '../wire/index.js';
import { TIMESTAMP_EXT } from './msgpack-format.js';

/** Memory of its own that values are written into one after the other; what was written is never written again. */
const SLAB_BYTES = 32 * 1024;
/** A slab with less room than this is not begun upon. */
const LEAST_ROOM = 1024;
/** Strings up to this length are written by a loop: cheaper than the call into the runtime. */
const SHORT_STRING = 24;
/** Bytes in front of the longest string. */
const MAX_HEADER = 5;
const NO_SLAB = Buffer.alloc(0);
const TWO_32 = 2 ** 32;

/**
 * Writes the parts of one MessagePack value after the other: into memory of its own that grows with the value, or into
 * memory that is lent, as long as the value fits.
 */
export class MsgpackSlab {
  /** Its own; the memory of that is asked for once, and begins where it does. */
  private own = NO_SLAB;
  private ownMemory = NO_SLAB.buffer;
  private ownUsed = 0;

  /** Where the value is written. */
  private slab: Buffer = NO_SLAB;
  /** Where the value that is being written begins, how far it is, and what it must not go beyond. */
  private start = 0;
  private at = 0;
  private limit = 0;

  /** Begins a value in memory of its own. */
  begin(): void {
    if (this.own.length < this.ownUsed + LEAST_ROOM) this.take(Buffer.allocUnsafeSlow(SLAB_BYTES));
    this.beginIn(this.own, this.ownUsed, this.own.length);
  }

  /** Begins a value in memory that is lent, from `at` on. */
  beginIn(memory: Buffer, at: number, limit: number): void {
    this.slab = memory;
    this.start = this.at = at;
    this.limit = limit;
  }

  /** Ends the value: its bytes, which nothing changes any more. */
  end(): Uint8Array {
    const { slab, start, at } = this;
    this.letGo();
    if (slab !== this.own) return new BufferView(slab.buffer, start, at - start);
    this.ownUsed = at;
    return new BufferView(this.ownMemory, start, at - start);
  }

  /** Ends a value that was begun in that memory: the position where it ends there, or its bytes if it did not fit. */
  endIn(memory: Buffer): number | Uint8Array {
    if (this.slab !== memory) return this.end();
    this.letGo();
    return this.at;
  }

  /** Forgets the memory of the value: one that is large must not be kept for good. */
  letGo(): void {
    this.slab = NO_SLAB;
    this.limit = 0;
  }

  /** Bytes of the value so far. */
  get length(): number {
    return this.at - this.start;
  }

  /** Leaves so many bytes for a header that is known later. */
  skip(bytes: number): void {
    this.room(bytes);
    this.at += bytes;
  }

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

  putBytes(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.slab.set(bytes, this.at);
    this.at += bytes.length;
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

  /** A byte at a place that was skipped. */
  byteAt(offset: number, byte: number): void {
    this.slab[this.start + offset] = byte;
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

  putByte(byte: number): void {
    this.room(1);
    this.slab[this.at++] = byte;
  }

  /** A tag and 32 bits, in room that is there. */
  private headerAt(at: number, tag: number, value: number): void {
    this.slab[at] = tag;
    this.slab.writeUInt32BE(value, at + 1);
  }

  /** Makes sure of so many bytes: where there are less, what is written of this value moves to memory with more. */
  private room(bytes: number): void {
    if (this.at + bytes <= this.limit) return;
    const { slab, start, at } = this;
    const needed = at - start + bytes + LEAST_ROOM;
    if (slab !== this.own && this.own.length - this.ownUsed >= needed) {
      this.beginIn(this.own, this.ownUsed, this.own.length);
    } else {
      const larger = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (at - start), needed));
      if (larger.length === SLAB_BYTES) this.take(larger);
      this.beginIn(larger, 0, larger.length);
    }
    slab.copy(this.slab, this.start, start, at);
    this.at += at - start;
  }

  private take(slab: Buffer<ArrayBuffer>): void {
    this.own = slab;
    this.ownMemory = slab.buffer;
    this.ownUsed = 0;
  }
}

/** Bytes in front of a string of so many. */
function headerOf(bytes: number): number {
  if (bytes <= 0x1f) return 1;
  if (bytes <= 0xff) return 2;
  return bytes <= 0xffff ? 3 : MAX_HEADER;
}

export function unfit(what: string): GridError {
  return new GridError('INVALID_ARGUMENT', `codec msgpack() cannot hold ${what}`);
}
