import { bodyReader, readBody, required } from './body.js';
import { MAX_UINT_BYTES, putMapHeader, putStr, putUint } from './msgpack-writer.js';
import { violation } from './violation.js';

/** What an AckMux says of its handler where extension `capacity` is active (wire spec §11). */
export interface CapacityBody {
  /** Messages to the handler that may be unacknowledged; 0 = takes no input. At most 2^32-1. */
  readonly in: number;
  /** Messages to the caller that may be unacknowledged; at least 1, at most 2^32-1. */
  readonly out: number;
}

const UINT32 = 0xffff_ffff;

/** A body whose two numbers take one byte each, and where they stand. */
const SHORT = encodeCapacity({ in: 0, out: 0 });
/** After the map's header, the key's and the key. */
const IN_AT = 1 + 1 + 'in'.length;
const OUT_AT = SHORT.length - 1;
const SHORT_MAX = 0x7f;

export function encodeCapacity(capacity: CapacityBody): Uint8Array {
  const target = new Uint8Array(8 + 2 * MAX_UINT_BYTES);
  let at = putMapHeader(target, 0, 2);
  at = putUint(target, putStr(target, at, 'in'), capacity.in);
  at = putUint(target, putStr(target, at, 'out'), capacity.out);
  return target.subarray(0, at);
}

/** Throws a violation for anything else: "a payload that does not parse ends the connection" (wire spec §11). */
export function decodeCapacity(payload: Uint8Array | undefined): CapacityBody {
  return (payload && decodeShort(payload)) ?? decodeAny(payload);
}

/** What every peer writes for small capacities: each stream begins with one of these. */
function decodeShort(payload: Uint8Array): CapacityBody | undefined {
  if (payload.length !== SHORT.length) return undefined;
  for (let at = 0; at < SHORT.length; at++) {
    if (payload[at] !== SHORT[at] && at !== IN_AT && at !== OUT_AT) return undefined;
  }
  const input = payload[IN_AT]!;
  const output = payload[OUT_AT]!;
  return input > SHORT_MAX || output > SHORT_MAX || output === 0 ? undefined : { in: input, out: output };
}

function decodeAny(payload: Uint8Array | undefined): CapacityBody {
  const reader = bodyReader(payload);
  let input: number | undefined;
  let output: number | undefined;
  readBody(reader, (key) => {
    if (key === 'in') input = reader.uint(UINT32, key);
    else if (key === 'out') output = reader.uint(UINT32, key);
    else return false;
    return true;
  });
  reader.finish('a capacity');
  if (output === 0) throw violation('a capacity with out 0');
  return { in: required(input, 'a capacity', 'in'), out: required(output, 'a capacity', 'out') };
}
