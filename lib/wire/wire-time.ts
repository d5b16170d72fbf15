import type { MsgpackReader } from './msgpack-reader.js';
import { putUint32 } from './msgpack-writer.js';
import { violation } from './violation.js';

/** A point in time as the wire has it. */
export interface WireTime {
  /** Unix seconds, negative before 1970; at most 2^53-1 either way. */
  readonly seconds: number;
  /** Nanoseconds after `seconds`, 0 to 999,999,999. */
  readonly nanos: number;
}

/** `ms`: Unix milliseconds; a fraction is dropped. */
export function wireTimeOf(ms: number): WireTime {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (Math.floor(ms) - seconds * 1000) * 1e6 };
}

/** Unix milliseconds, with a fraction. */
export function unixMs(time: WireTime): number {
  return time.seconds * 1000 + time.nanos / 1e6;
}

/** Bytes of an encoded time. */
export const TIME_BYTES = 15;

const TIME_TYPE = 5;
/** The standard timestamp extension, -1 as a byte. */
const TIMESTAMP_TYPE = 0xff;
const TWO_32 = 0x1_0000_0000;

/** Extension type 5: int64 Unix seconds, int32 nanoseconds, both big-endian (wire spec §2). */
export function putTime(target: Uint8Array, at: number, time: WireTime): number {
  target[at] = 0xc7;
  target[at + 1] = 12;
  target[at + 2] = TIME_TYPE;
  putUint32(target, at + 3, Math.floor(time.seconds / TWO_32));
  putUint32(target, at + 7, time.seconds);
  return putUint32(target, at + 11, time.nanos);
}

/** Reads type 5 and the standard timestamp extension of 4, 8 or 12 bytes. Anything else is a violation. */
export function readTime(reader: MsgpackReader, field: string): WireTime {
  const length = reader.extHeader(field);
  const type = reader.byte();
  const { buffer, byteOffset } = reader.view(length);
  const view = new DataView(buffer, byteOffset, length);
  let seconds: number;
  let nanos: number;
  if (type === TIME_TYPE && length === 12) {
    seconds = Number(view.getBigInt64(0));
    nanos = view.getInt32(8);
  } else if (type === TIMESTAMP_TYPE && length === 12) {
    nanos = view.getUint32(0);
    seconds = Number(view.getBigInt64(4));
  } else if (type === TIMESTAMP_TYPE && length === 8) {
    // 30 bits of nanoseconds, then 34 of seconds
    const high = view.getUint32(0);
    nanos = high >>> 2;
    seconds = (high & 3) * TWO_32 + view.getUint32(4);
  } else if (type === TIMESTAMP_TYPE && length === 4) {
    seconds = view.getUint32(0);
    nanos = 0;
  } else {
    throw violation(`${field} is not a time: extension type ${type} of ${length} bytes`);
  }
  if (!Number.isSafeInteger(seconds) || nanos < 0 || nanos > 999_999_999) throw violation(`${field} is not a time`);
  return { seconds, nanos };
}
