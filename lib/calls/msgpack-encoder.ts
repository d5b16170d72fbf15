import { types } from 'node:util';
import { isObservable } from 'rxjs';
import type { GridError } from '../errors/index.js';
import { MAX_DEPTH, StructuredExt } from './msgpack-format.js';
import { isAsyncIterable, isIterable, isThenable } from './result-kind.js';
import { placeOfUnfit } from './unfit-place.js';
import { isUnfit, unfit, ValueWriter } from './value-writer.js';

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
      throw isUnfit(thrown) ? this.placed(thrown, value) : thrown;
    } finally {
      this.busy = false;
    }
  }

  /** A large value may hold one Promise, somewhere. */
  private placed(error: GridError, value: unknown): GridError {
    // of its own: this one writes still
    const trial = new MsgpackEncoder(this.structured);
    const place = placeOfUnfit(value, (part) => trial.fits(part));
    return place === '' ? error : error.with({ message: `${error.message}; it stands at ${place}` });
  }

  private fits(part: unknown): boolean {
    this.out.begin();
    this.depth = 0;
    try {
      this.put(part);
      return true;
    } catch {
      return false;
    } finally {
      this.out.letGo();
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
    if (Array.isArray(value)) this.putList(value);
    // types.isX and not instanceof: objects of another realm are as good
    else if (ArrayBuffer.isView(value))
      this.out.putBin(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    else if (Object.getPrototypeOf(value) === Object.prototype) this.putOther(value as Properties);
    else if (!this.putKnown(value)) this.putInstance(value as Properties);
    this.depth--;
  }

  private putInstance(value: Properties): void {
    // that of a call is for logs: as a value it would stand where its messages are meant
    const tells = typeof value['toJSON'] === 'function' && !('toObservable' in value);
    const source = tells ? undefined : sourceText(value);
    if (source) throw unfit(source);
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
    // a subclass of the others may have one, like any other class
    else if (typeof (value as Properties)['toJSON'] === 'function') return false;
    else if (types.isMap(value)) this.putMap(value);
    else if (types.isSet(value)) this.putSet(value);
    else if (types.isAnyArrayBuffer(value)) this.out.putBin(new Uint8Array(value));
    // a `new String()` would be an object of its characters; most objects inherit the `valueOf` of all
    else if (value.valueOf !== Object.prototype.valueOf && types.isBoxedPrimitive(value)) this.put(value.valueOf());
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
    this.putCountAt(header, count);
  }

  private putCountAt(header: number, count: number): void {
    if (count <= 0x0f) this.out.byteAt(header, 0x80 | count);
    else this.out.widenCount(header, count, 0xde);
  }

  /** As in JSON: no functions, no symbols, and `undefined` only where it is kept. */
  private isLeftOut(property: unknown): boolean {
    const type = typeof property;
    return type === 'function' || type === 'symbol' || (type === 'undefined' && !this.structured);
  }

  private putList(items: readonly unknown[] & { readonly toJSON?: unknown }): void {
    if (typeof items.toJSON === 'function') this.put((items.toJSON as () => unknown)());
    else this.putArray(items);
  }

  private putArray(items: readonly unknown[]): void {
    // asked once: a `toJSON` of one may add others, or take some away
    const { length } = items;
    this.out.putCount(length, 0x90, 0xdc);
    // by index: holes are `undefined` too
    for (let i = 0; i < length; i++) {
      const item = items[i];
      if (item !== undefined && this.isLeftOut(item)) this.out.putByte(0xc0);
      else this.put(item);
    }
  }

  private putMap(map: ReadonlyMap<unknown, unknown>): void {
    if (this.structured) {
      this.putExt(StructuredExt.Map, () => {
        for (const [key, value] of map) {
          this.put(key);
          this.put(value);
        }
      });
      return;
    }
    const header = this.out.length;
    this.out.skip(1);
    // as they come: a subclass may give others than it has, and a `toJSON` of one may add some
    let count = 0;
    for (const [key, value] of map) {
      this.putKey(key);
      this.put(value);
      count++;
    }
    this.putCountAt(header, count);
  }

  /** What is read back as the name of a property; anything else would fail at the reader, who cannot tell why. */
  private putKey(key: unknown): void {
    const said = hasToJson(key) ? key.toJSON() : key;
    switch (typeof said) {
      case 'string':
      case 'number':
      case 'bigint':
      case 'boolean':
        this.put(said);
        return;
      default:
        throw unfit(`a Map with ${keyName(said)} as a key`);
    }
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

/** An id of a database, say. Not a Date, which is a timestamp wherever it stands. */
function hasToJson(key: unknown): key is { toJSON: () => unknown } {
  if (typeof key !== 'object' || key === null || types.isDate(key)) return false;
  return 'toJSON' in key && typeof key.toJSON === 'function';
}

function keyName(key: unknown): string {
  if (key === null || key === undefined) return String(key);
  return typeof key === 'object' ? 'an object' : `a ${typeof key}`;
}

/** What gives values one after the other and is none itself; as an object it would be `{}`. */
function sourceText(value: object): string | undefined {
  const itself = 'inside of a value: it is sent when a handler gives it itself';
  if (isAsyncIterable(value)) return `an async iterable ${itself}`;
  if (isObservable(value)) return `an Observable ${itself}`;
  if (!isIterable(value) || !('next' in value) || typeof value.next !== 'function') return undefined;
  return 'an iterator: send an array of its values, or give them by an async generator';
}
