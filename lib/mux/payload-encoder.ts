import { GridError } from '../errors/index.js';

/**
 * Writes a value into `memory` from `at` on, not beyond `end`; gives the position where it ends. What does not fit
 * there is made elsewhere and given as bytes.
 */
export type EncodeInto = (value: unknown, memory: Buffer, at: number, end: number) => number | Uint8Array;

/** What turns values into payloads. */
export interface PayloadEncoder {
  readonly encode: (value: unknown) => Uint8Array;
}

const INTO = Symbol('into');

interface Twin {
  /** The function that it belongs to. */
  readonly of: unknown;
  readonly into: EncodeInto;
}

/**
 * A codec's `encode` that can do the same into memory that is lent. What it gives by itself has to be new memory, which
 * nothing changes any more: it is kept without a copy.
 */
export function withInto<T>(encode: (value: T) => Uint8Array, into: EncodeInto): (value: T) => Uint8Array {
  const twin: Twin = { of: encode, into };
  return Object.defineProperty(encode, INTO, { value: twin });
}

/**
 * What `encode` does, into memory that is lent; undefined where it cannot. It belongs to the function, not to the
 * codec: who gives a codec another `encode`, or wraps one with all that it has, is asked by that.
 */
export function intoOf(codec: PayloadEncoder): EncodeInto | undefined {
  // one of the application may have none: it is told so when it is asked
  const encode: (PayloadEncoder['encode'] & { readonly [INTO]?: Twin }) | undefined = codec.encode;
  const twin = encode?.[INTO];
  return twin?.of === encode ? twin?.into : undefined;
}

/**
 * A value as bytes in memory of their own. A codec of the application may give anything: what is no byte array must not
 * get as far as a frame.
 * @throws GridError INVALID_ARGUMENT for that; whatever the codec throws.
 */
export function encodeApart(value: unknown, codec: PayloadEncoder): Uint8Array {
  const bytes = codec.encode(value);
  if (bytes instanceof Uint8Array || isByteArray(bytes)) return bytes;
  throw new GridError('INVALID_ARGUMENT', `encode() of the codec must give a Uint8Array, not ${nameOf(bytes)}`);
}

/**
 * The same to be kept for later. What a codec gives that only passes bytes on, or may use its memory again, is copied:
 * whoever owns those bytes goes on with them as soon as this call is over.
 */
export function encodeToKeep(value: unknown, codec: PayloadEncoder): Uint8Array {
  const bytes = encodeApart(value, codec);
  return intoOf(codec) === undefined ? Buffer.from(bytes) : bytes;
}

/** Byte arrays of another realm are as good. */
function isByteArray(bytes: unknown): boolean {
  return ArrayBuffer.isView(bytes) && (bytes as Uint8Array).BYTES_PER_ELEMENT === 1;
}

function nameOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
