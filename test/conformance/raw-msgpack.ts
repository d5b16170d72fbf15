// MessagePack as the wire protocol uses it, by hand.

/** The shortest unsigned form, or the one of a given width in bits. */
export function uint(value: number | bigint, bits?: 7 | 8 | 16 | 32 | 64): Buffer {
  const big = BigInt(value);
  const width = bits ?? (big < 0x80n ? 7 : big < 0x100n ? 8 : big < 0x10000n ? 16 : big < 0x100000000n ? 32 : 64);
  const out = Buffer.alloc(width === 7 ? 1 : 1 + width / 8);
  switch (width) {
    case 7:
      out[0] = Number(big);
      break;
    case 8:
      out[0] = 0xcc;
      out[1] = Number(big);
      break;
    case 16:
      out[0] = 0xcd;
      out.writeUInt16BE(Number(big), 1);
      break;
    case 32:
      out[0] = 0xce;
      out.writeUInt32BE(Number(big), 1);
      break;
    case 64:
      out[0] = 0xcf;
      out.writeBigUInt64BE(big, 1);
      break;
  }
  return out;
}

export function bin(bytes: Uint8Array, bits?: 8 | 16 | 32): Buffer {
  const width = bits ?? (bytes.length < 0x100 ? 8 : bytes.length < 0x10000 ? 16 : 32);
  const head = Buffer.alloc(1 + width / 8);
  head[0] = width === 8 ? 0xc4 : width === 16 ? 0xc5 : 0xc6;
  head.writeUIntBE(bytes.length, 1, width / 8);
  return Buffer.concat([head, bytes]);
}

export function str(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length < 32) return Buffer.concat([Buffer.from([0xa0 | bytes.length]), bytes]);
  const width = bytes.length < 0x100 ? 1 : bytes.length < 0x10000 ? 2 : 4;
  const head = Buffer.alloc(1 + width);
  head[0] = width === 1 ? 0xd9 : width === 2 ? 0xda : 0xdb;
  head.writeUIntBE(bytes.length, 1, width);
  return Buffer.concat([head, bytes]);
}

/** The values are encoded already. */
export function map(pairs: readonly (readonly [string, Uint8Array])[]): Buffer {
  const count = pairs.length;
  const head = Buffer.from(count < 16 ? [0x80 | count] : [0xde, count >> 8, count & 255]);
  return Buffer.concat([head, ...pairs.flatMap(([key, value]) => [str(key), value])]);
}

export function array(items: readonly Uint8Array[]): Buffer {
  const head =
    items.length < 16 ? Buffer.from([0x90 | items.length]) : Buffer.from([0xdc, items.length >> 8, items.length & 255]);
  return Buffer.concat([head, ...items]);
}

/** Extension type 5 with 12 bytes: seconds, nanoseconds (§2). */
export function time(unixMs: number): Buffer {
  const out = Buffer.alloc(15);
  out.set([0xc7, 0x0c, 0x05]);
  out.writeBigInt64BE(BigInt(Math.floor(unixMs / 1000)), 3);
  out.writeInt32BE((((unixMs % 1000) + 1000) % 1000) * 1_000_000, 11);
  return out;
}

export const nil = Buffer.from([0xc0]);
export const bool = (value: boolean): Buffer => Buffer.from([value ? 0xc3 : 0xc2]);

/** A MessagePack value as it was read: maps with string keys, times as Unix milliseconds. */
export type Value = bigint | boolean | string | null | Buffer | number | Value[] | { [key: string]: Value };

/** Reads MessagePack; only what the protocol uses. */
export class Reader {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  get rest(): number {
    return this.bytes.length - this.at;
  }

  take(length: number): Buffer {
    if (length > this.rest) throw new Error(`${length} bytes wanted, ${this.rest} left`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  value(): Value {
    const tag = this.take(1)[0]!;
    if (tag < 0x80) return BigInt(tag);
    if (tag < 0x90) return this.#map(tag & 0x0f);
    if (tag < 0xa0) return this.#array(tag & 0x0f);
    if (tag < 0xc0) return this.take(tag & 0x1f).toString('utf8');
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.take(this.#length(1 << (tag - 0xc4)));
      case 0xc7: {
        const length = this.#length(1);
        const type = this.take(1)[0];
        if (type !== 5 || length !== 12) throw new Error(`extension type ${type} with ${length} bytes`);
        const body = this.take(12);
        return Number(body.readBigInt64BE(0)) * 1000 + body.readInt32BE(8) / 1e6;
      }
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf: {
        const bytes = this.take(1 << (tag - 0xcc));
        return BigInt(`0x${bytes.toString('hex')}`);
      }
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.take(this.#length(1 << (tag - 0xd9))).toString('utf8');
      case 0xdc:
        return this.#array(this.#length(2));
      case 0xde:
        return this.#map(this.#length(2));
      default:
        throw new Error(`tag 0x${tag.toString(16)}`);
    }
  }

  #length(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  #array(length: number): Value[] {
    return Array.from({ length }, () => this.value());
  }

  #map(length: number): { [key: string]: Value } {
    const entries: [string, Value][] = [];
    for (let i = 0; i < length; i++) entries.push([String(this.value()), this.value()]);
    return Object.fromEntries(entries);
  }
}

/** The map in a payload; throws when anything else or more is there. */
export function body(payload: Buffer): { [key: string]: Value } {
  const reader = new Reader(payload);
  const value = readMap(reader);
  if (reader.rest > 0) throw new Error(`more than one map: ${payload.toString('hex')}`);
  return value;
}

export function readMap(reader: Reader): { [key: string]: Value } {
  const value = reader.value();
  if (value === null || typeof value !== 'object' || Array.isArray(value) || Buffer.isBuffer(value)) {
    throw new Error(`not a map: ${reader.bytes.toString('hex')}`);
  }
  return value;
}
