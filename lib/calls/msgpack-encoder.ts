import { types } from 'node:util';
import { isObservable } from 'rxjs';
import { MAX_DEPTH, StructuredExt } from './msgpack-format.js';
import { ValueWriter, unfit } from './value-writer.js';
import { isAsyncIterable, isIterable, isThenable } from './result-kind.js';

/** Bytes of an extension's header with a 32-bit length. */
const EXT_HEADER_BYTES = 6;

type Properties = Readonly<Record<string, unknown>>;

/** Writes values as MessagePack, one at a time. */
export class MsgpackEncoder {
  /** A value is being written: one of its getters may ask for another encoding meanwhile. */
  busy = false;
  private readonly out = new ValueWriter();
  private depth = 0;

  constructor(private readonly structured: boolean) {}

  /** @throws GridError INVALID_ARGUMENT for what MessagePack cannot hold; whatever a getter or `toJSON` throws. */
  encode(value: unknown): Uint8Array {
    this.out.begin();
    this.write(value);
    return this.out.end();
  }

  /** The same as `EncodeInto`. */
  encodeInto(value: unknown, memory: Buffer, at: number, end: number): number | Uint8Array {
    this.out.beginIn(memory, at, end);
    this.write(value);
    return this.out.endIn(memory);
  }

  private write(value: unknown): void {
    this.busy = true;
    this.depth = 0;
    try {
      this.put(value);
    } catch (thrown) {
      this.out.letGo();
      throw thrown;
    } finally {
      this.busy = false;
    }
  }

  private put(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.out.putString(value);
        return;
      case 'number':
        this.out.putNumber(value);
        return;
      case 'boolean':
        this.out.putByte(value ? 0xc3 : 0xc2);
        return;
      case 'bigint':
        if (this.structured) this.putBigint(value);
        else this.out.putInt64(value);
        return;
      case 'object':
        if (value === null) this.out.putByte(0xc0);
        else this.putObject(value);
        return;
      case 'undefined':
        if (this.structured) this.putExt(StructuredExt.Undefined, () => {});
        else this.out.putByte(0xc0);
        return;
      default:
        throw unfit(`a ${typeof value}`);
    }
  }

  private putObject(value: object): void {
    if (++this.depth > MAX_DEPTH) throw unfit(`a value nested deeper than ${MAX_DEPTH} (a cycle?)`);
    if (Array.isArray(value)) this.putArray(value);
    // types.isX and not instanceof: objects of another realm are as good
    else if (ArrayBuffer.isView(value))
      this.out.putBin(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    else if (Object.getPrototypeOf(value) === Object.prototype) this.putOther(value as Properties);
    else if (!this.putKnown(value)) this.putInstance(value as Properties);
    this.depth--;
  }

  private putInstance(value: Properties): void {
    const source = typeof value['toJSON'] === 'function' ? undefined : sourceName(value);
    if (source) throw unfit(`${source} inside of a value: it is sent when a handler gives it itself`);
    this.putOther(value);
  }

  private putOther(value: Properties): void {
    if (typeof value['toJSON'] === 'function') this.put((value['toJSON'] as () => unknown)());
    else if (isThenable(value)) throw unfit('a Promise');
    else this.putProperties(value);
  }

  /** An object of a class that has a form of its own; false, nothing written, for any other. */
  private putKnown(value: object): boolean {
    if (types.isDate(value)) this.out.putDate(value);
    else if (types.isMap(value)) this.putMap(value);
    else if (types.isSet(value)) this.putSet(value);
    else if (types.isAnyArrayBuffer(value)) this.out.putBin(new Uint8Array(value));
    else return false;
    return true;
  }

  private putProperties(value: Properties): void {
    const { out } = this;
    const header = out.length;
    out.skip(1);
    // a property's getter is asked once, so the number of those that have a value is known only after them
    let count = 0;
    for (const key in value) {
      // not `Object.hasOwn`: in this form the engine knows it to be true for all keys of an object without others
      if (!Object.prototype.hasOwnProperty.call(value, key)) continue;
      const property = value[key];
      if (this.isLeftOut(property)) continue;
      out.putString(key);
      this.put(property);
      count++;
    }
    if (count <= 0x0f) out.byteAt(header, 0x80 | count);
    else out.widenCount(header, count, 0xde);
  }

  /** As in JSON: no functions, no symbols, and `undefined` only where it is kept. */
  private isLeftOut(property: unknown): boolean {
    const type = typeof property;
    return type === 'function' || type === 'symbol' || (type === 'undefined' && !this.structured);
  }

  private putArray(items: readonly unknown[]): void {
    this.out.putCount(items.length, 0x90, 0xdc);
    // by index: holes are `undefined` too
    for (let i = 0; i < items.length; i++) {
      const item = items[i];
      if (item !== undefined && this.isLeftOut(item)) this.out.putByte(0xc0);
      else this.put(item);
    }
  }

  private putMap(map: ReadonlyMap<unknown, unknown>): void {
    const putEntries = (): void => {
      for (const [key, value] of map) {
        this.put(key);
        this.put(value);
      }
    };
    if (this.structured) {
      this.putExt(StructuredExt.Map, putEntries);
      return;
    }
    this.out.putCount(map.size, 0x80, 0xde);
    putEntries();
  }

  private putSet(set: ReadonlySet<unknown>): void {
    if (!this.structured) {
      this.putArray([...set]);
      return;
    }
    this.putExt(StructuredExt.Set, () => {
      for (const member of set) this.put(member);
    });
  }

  /** An extension whose length is known once its content is written. */
  private putExt(type: number, putContent: () => void): void {
    const { out } = this;
    const header = out.length;
    out.skip(EXT_HEADER_BYTES);
    putContent();
    out.wordAt(header, 0xc9, out.length - header - EXT_HEADER_BYTES);
    out.byteAt(header + EXT_HEADER_BYTES - 1, type);
  }

  private putBigint(value: bigint): void {
    const hex = (value < 0n ? -value : value).toString(16);
    const magnitude = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
    this.putExt(StructuredExt.Bigint, () => {
      this.out.putByte(value < 0n ? 1 : 0);
      this.out.putBytes(magnitude);
    });
  }
}

/** What gives values one after the other and is none itself; as an object it would be `{}`. */
function sourceName(value: object): string | undefined {
  if (isAsyncIterable(value)) return 'an async iterable';
  if (isObservable(value)) return 'an Observable';
  return isIterable(value) && 'next' in value && typeof value.next === 'function' ? 'an iterator' : undefined;
}
