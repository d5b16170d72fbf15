import { withInto } from '../mux/index.js';
import type { Codec } from './codec.js';
import { MsgpackDecoder } from './msgpack-decoder.js';
import { MsgpackEncoder } from './msgpack-encoder.js';
import { withWeight } from './weighed.js';

/** Options of `msgpack()`. */
export interface MsgpackOptions {
  /** Round trips Map, Set, bigint, Date and `undefined` exactly, between two ends that both say so. Default false. */
  readonly structured?: boolean;
}

/**
 * MessagePack, as Go's structs read it and any other implementation: integers in their shortest form (exact up to 64
 * bits; those beyond 2^53 are read as bigint), byte arrays as bin (read as Buffers, nothing copied), Dates as
 * timestamps, Sets as arrays, Maps and objects as maps, which are read as objects. `undefined` and functions are left
 * out of objects and are nil in arrays; a message of `undefined` is no bytes at all. What has a `toJSON` is what that
 * gives. A key `__proto__` is not read.
 */
export function msgpack({ structured = false }: MsgpackOptions = {}): Codec {
  return structured ? STRUCTURED : PLAIN;
}

const EMPTY = new Uint8Array(0);

function makeCodec(structured: boolean): Codec {
  const shared = new MsgpackEncoder(structured);
  const encoder = (): MsgpackEncoder => (shared.busy ? new MsgpackEncoder(structured) : shared);
  return Object.freeze({
    encode: withInto(
      (value: unknown) => (value === undefined ? EMPTY : encoder().encode(value)),
      (value, memory, at, end) => (value === undefined ? EMPTY : encoder().encodeInto(value, memory, at, end)),
    ),
    decode: withWeight(
      (payload: Uint8Array): unknown =>
        payload.length === 0 ? undefined : new MsgpackDecoder(payload, structured).whole(),
      (payload, account) => new MsgpackDecoder(payload, structured, account).whole(),
    ),
  });
}

const PLAIN = makeCodec(false);
const STRUCTURED = makeCodec(true);
