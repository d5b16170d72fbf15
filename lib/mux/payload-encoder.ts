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

/** A codec's `encode` that can do the same into memory that is lent. */
export function withInto<T>(encode: (value: T) => Uint8Array, into: EncodeInto): (value: T) => Uint8Array {
  const twin: Twin = { of: encode, into };
  return Object.defineProperty(encode, INTO, { value: twin });
}

/**
 * What `encode` does, into memory that is lent; undefined where it cannot. It belongs to the function, not to the codec:
 * who gives a codec another `encode`, or wraps one with all that it has, is asked by that.
 */
export function intoOf(codec: PayloadEncoder): EncodeInto | undefined {
  const encode: PayloadEncoder['encode'] & { readonly [INTO]?: Twin } = codec.encode;
  const twin = encode[INTO];
  return twin?.of === encode ? twin.into : undefined;
}
