import { GridError } from '../errors/index.js';
import { BufferView, leavesGap, makeSparse, MsgpackNames, readText } from '../wire/index.js';
import { asBuffer } from './codec.js';
import { GO_TIME_EXT, MAX_DEPTH, MAX_NAMES, MAX_OBJECTS, StructuredExt, TIMESTAMP_EXT } from './msgpack-format.js';
import type { Account } from './weighed.js';

const TWO_32 = 2 ** 32;
/** Memory of a map, an array, a byte array or an extension, what it holds aside. */
const OBJECT_BYTES = 64;
/** Memory of a place in a map or an array. */
const PLACE_BYTES = 8;
/** Places beyond its items that an array has when it grows. */
const SPARE_PLACES = 16;
/** Places of a pair of a structured Map, of a value of a Set: their tables are half empty. */
const PAIR_PLACES = 5;
/** Memory of a text, in places, its characters aside. */
const TEXT_PLACES = 3;
/** So much more than its payload a value may take without a word to the account. */
const SPARE_BYTES = 4096;
/** After so many objects, and before so many places, the account is told what the value takes by then. */
const TELL_OBJECTS = 16_384;
const TELL_PLACES = 65_536;

const names = new MsgpackNames(readText);

/**
 * Reads one value. Never reads beyond the payload, believes no length before it knows that so many bytes are there,
 * runs no code of the payload's choosing, goes no deeper than `MAX_DEPTH` and makes no more than `MAX_OBJECTS`
 * with `MAX_NAMES` different names. The account, if any, is told what the value takes while it is read: what may not be
 * held is not made first.
 */
export class MsgpackDecoder {
  private readonly bytes: Buffer;
  private at = 0;
  private depth = 0;
  private objects = 0;
  /** In maps and arrays, and what takes as much as some of those. */
  private places = 0;
  /** Of the properties, but for those that `names` knew. */
  private madeNames: Set<string> | undefined = undefined;
  /** Objects after which the account is told. */
  private tellAt = TELL_OBJECTS;
  /** What the account knows of: the payload itself is there. */
  private told: number;

  constructor(
    payload: Uint8Array,
    private readonly structured: boolean,
    private readonly account?: Account,
  ) {
    this.bytes = asBuffer(payload);
    this.told = payload.length;
  }

  /**
   * The value that the whole payload is.
   * @throws GridError INVALID_ARGUMENT for anything else; what the account says.
   */
  whole(): unknown {
    const value = this.value();
    if (this.at !== this.bytes.length) throw malformed(`${this.bytes.length - this.at} bytes left over`);
    this.tell();
    return value;
  }

  private value(): unknown {
    const tag = this.byte();
    if (tag < 0x80) return tag;
    if (tag < 0x90) return this.map(tag & 0x0f);
    if (tag < 0xa0) return this.array(tag & 0x0f);
    if (tag < 0xc0) return this.string(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.view(this.uint(1));
      case 0xc5:
        return this.view(this.uint(2));
      case 0xc6:
        return this.view(this.uint(4));
      case 0xc7:
        return this.ext(this.uint(1));
      case 0xc8:
        return this.ext(this.uint(2));
      case 0xc9:
        return this.ext(this.uint(4));
      case 0xca:
        return this.bytes.readFloatBE(this.take(4));
      case 0xcb:
        return this.bytes.readDoubleBE(this.take(8));
      case 0xcc:
        return this.uint(1);
      case 0xcd:
        return this.uint(2);
      case 0xce:
        return this.uint(4);
      case 0xcf:
        return this.wide(0);
      case 0xd0:
        return this.bytes.readInt8(this.take(1));
      case 0xd1:
        return this.bytes.readInt16BE(this.take(2));
      case 0xd2:
        return this.bytes.readInt32BE(this.take(4));
      case 0xd3:
        return this.wide(0x8000_0000);
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.ext(1 << (tag - 0xd4));
      case 0xd9:
        return this.string(this.uint(1));
      case 0xda:
        return this.string(this.uint(2));
      case 0xdb:
        return this.string(this.uint(4));
      case 0xdc:
        return this.array(this.uint(2));
      case 0xdd:
        return this.array(this.uint(4));
      case 0xde:
        return this.map(this.uint(2));
      case 0xdf:
        return this.map(this.uint(4));
      default:
        throw malformed('the unused type 0xc1');
    }
  }

  private array(count: number): unknown[] {
    this.countObject();
    this.enter(count);
    if (count > 0) this.places += SPARE_PLACES;
    // grown item by item: what a header claims is not allocated for
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.value());
    this.depth--;
    return items;
  }

  private map(count: number): Record<string, unknown> {
    this.countObject();
    this.enter(2 * count);
    const object: Record<string, unknown> = {};
    let sparse = false;
    for (let i = 0; i < count; i++) {
      const key = this.key();
      const value = this.value();
      if (!sparse && leavesGap(key, i)) {
        sparse = true;
        makeSparse(object);
      }
      // the one name that is no property: to set it would give the object another prototype
      if (key !== '__proto__') object[key] = value;
    }
    this.depth--;
    return object;
  }

  private key(): string {
    const tag = this.bytes[this.at];
    if (tag !== undefined && tag >= 0xa0 && tag < 0xc0) {
      this.at++;
      const length = tag & 0x1f;
      const { made } = names;
      const name = names.read(this.bytes, this.take(length), length);
      return names.made === made ? name : this.countName(name);
    }
    const key = this.value();
    if (typeof key === 'string') return this.countName(key);
    // a bigint of megabytes takes minutes to become decimal digits, and is no key that anybody writes
    const fits = typeof key !== 'bigint' || BigInt.asIntN(65, key) === key;
    if (fits && (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean')) {
      return this.countName(String(key));
    }
    throw malformed('a map with keys that are neither text nor numbers');
  }

  private ext(length: number): unknown {
    this.countObject();
    const type = this.bytes.readInt8(this.take(1));
    const start = this.take(length);
    if (type === TIMESTAMP_EXT) return this.timestamp(start, length);
    if (type === GO_TIME_EXT && length === 12) {
      return this.date(this.bytes.readBigInt64BE(start), this.bytes.readInt32BE(start + 8));
    }
    if (!this.structured) throw malformed(`an extension of the unknown type ${type}`);
    switch (type) {
      case StructuredExt.Undefined:
        return undefined;
      case StructuredExt.Bigint:
        return this.bigint(start, length);
      case StructuredExt.Map:
        return this.nested(start, length, () => {
          const map = new Map<unknown, unknown>();
          for (; this.at < start + length; this.places += PAIR_PLACES) map.set(this.value(), this.value());
          return map;
        });
      case StructuredExt.Set:
        return this.nested(start, length, () => {
          const set = new Set<unknown>();
          for (; this.at < start + length; this.places += PAIR_PLACES) set.add(this.value());
          return set;
        });
      default:
        throw malformed(`an extension of the unknown type ${type}`);
    }
  }

  /** Values inside an extension: they must end where it ends. */
  private nested<T>(start: number, length: number, read: () => T): T {
    this.enter(0);
    this.at = start;
    const value = read();
    if (this.at !== start + length) throw malformed('an extension that ends in the middle of a value');
    this.depth--;
    return value;
  }

  private bigint(start: number, length: number): bigint {
    if (length < 2) throw malformed('a bigint without digits');
    const magnitude = BigInt(`0x${this.bytes.toString('hex', start + 1, start + length)}`);
    return this.bytes[start] === 1 ? -magnitude : magnitude;
  }

  private timestamp(start: number, length: number): Date {
    const { bytes } = this;
    if (length === 4) return this.date(BigInt(bytes.readUInt32BE(start)), 0);
    if (length === 8) {
      const word = bytes.readBigUInt64BE(start);
      return this.date(word & 0x3_ffff_ffffn, Number(word >> 34n));
    }
    if (length === 12) return this.date(bytes.readBigInt64BE(start + 4), bytes.readUInt32BE(start));
    throw malformed(`a timestamp of ${length} bytes`);
  }

  /** To the millisecond: a Date holds no more. */
  private date(seconds: bigint, nanos: number): Date {
    return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
  }

  private string(length: number): string {
    this.places += TEXT_PLACES;
    return readText(this.bytes, this.take(length), length);
  }

  private view(length: number): Buffer {
    this.countObject();
    const { bytes } = this;
    return new BufferView(bytes.buffer, bytes.byteOffset + this.take(length), length);
  }

  /** 64 bits: a number where that is exact, else a bigint. `sign` is the bit of the upper half that means negative. */
  private wide(sign: number): number | bigint {
    const start = this.take(8);
    const high = this.bytes.readUInt32BE(start);
    const low = this.bytes.readUInt32BE(start + 4);
    if (high < 0x20_0000) return high * TWO_32 + low;
    if (sign === 0 || high < sign) return this.bytes.readBigUInt64BE(start);
    const negative = this.bytes.readBigInt64BE(start);
    return negative >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(negative) : negative;
  }

  private uint(width: 1 | 2 | 4): number {
    const start = this.take(width);
    const { bytes } = this;
    if (width === 1) return bytes[start]!;
    return width === 2 ? bytes.readUInt16BE(start) : bytes.readUInt32BE(start);
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw truncated();
    return byte;
  }

  /** Goes past so many bytes, which are there; gives where they begin. */
  private take(length: number): number {
    const start = this.at;
    if (start + length > this.bytes.length) throw truncated();
    this.at = start + length;
    return start;
  }

  private countObject(): void {
    if (++this.objects > this.tellAt) this.tellOfObjects();
  }

  private tellOfObjects(): void {
    if (this.objects > MAX_OBJECTS) {
      throw malformed(`more than ${MAX_OBJECTS} maps, arrays, byte arrays and extensions, which is the cap`);
    }
    this.tellAt = Math.min(this.tellAt + TELL_OBJECTS, MAX_OBJECTS);
    this.tell();
  }

  private tell(): void {
    if (this.account === undefined) return;
    const weight = OBJECT_BYTES * this.objects + PLACE_BYTES * this.places;
    const more = weight - this.told;
    if (more <= SPARE_BYTES) return;
    this.told = weight;
    const refusal = this.account.hold(more);
    if (refusal) throw refusal;
  }

  /** Names that share a place in `names` are made again and again: those are the same. */
  private countName(name: string): string {
    const { size } = (this.madeNames ??= new Set()).add(name);
    if (size > MAX_NAMES) throw malformed(`more than ${MAX_NAMES} names of properties, which is the cap`);
    return name;
  }

  /** One level deeper, into a value of so many values, each of which has a first byte. */
  private enter(values: number): void {
    if (values > this.bytes.length - this.at) throw truncated();
    this.places += values;
    if (values > TELL_PLACES) this.tell();
    if (++this.depth > MAX_DEPTH) throw malformed(`a value nested deeper than ${MAX_DEPTH}`);
  }
}

function truncated(): GridError {
  return malformed('bytes that end in the middle of a value');
}

function malformed(what: string): GridError {
  const text = `not the MessagePack that is read here: ${what}; is the codec of the other end another one?`;
  return new GridError('INVALID_ARGUMENT', text);
}
