/**
 * On the `encode` of a codec: the same into memory that is lent. It belongs to the function and not to the codec: who
 * gives a codec another `encode` must not find the old one used in its place.
 */
export const INTO: unique symbol = Symbol('into');

/**
 * Writes a value into `memory` from `at` on, not beyond `end`; gives the position where it ends. What does not fit
 * there is made elsewhere and given as bytes.
 */
export type EncodeInto = (value: unknown, memory: Buffer, at: number, end: number) => number | Uint8Array;

export interface Encode<T = unknown> {
  (value: T): Uint8Array;
  readonly [INTO]?: EncodeInto;
}

/** What turns values into payloads. */
export interface PayloadEncoder {
  encode(value: unknown): Uint8Array;
}

/** A function of a codec that writes into memory which it is given too. */
export function withInto<T>(encode: (value: T) => Uint8Array, into: EncodeInto): (value: T) => Uint8Array {
  return Object.assign(encode, { [INTO]: into });
}
