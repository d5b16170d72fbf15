import { GridError } from '../errors/index.js';
import { bodyReader, readBody } from './body.js';
import type { MsgpackReader } from './msgpack-reader.js';
import { maxStrBytes, putBool, putMapHeader, putNil, putStr } from './msgpack-writer.js';
import { putTime, readTime, TIME_BYTES, type WireTime } from './wire-time.js';

/** A sign of life (wire spec §2, §8). */
export interface PingBody {
  /** The sender's clock; undefined where it told none. */
  readonly time?: WireTime | undefined;
}

/** The answer to a ping. */
export interface PongBody {
  /** No such call. */
  readonly notFound: boolean;
  readonly error?: string | undefined;
  /** Copied from the ping; undefined where the ping had none. */
  readonly time?: WireTime | undefined;
}

export function encodePing({ time }: PingBody): Uint8Array {
  const target = new Uint8Array(3 + TIME_BYTES);
  const at = putMapHeader(target, 0, time === undefined ? 0 : 1);
  return target.subarray(0, time === undefined ? at : putTime(target, putStr(target, at, 't'), time));
}

const NO_TIME: PingBody = Object.freeze({ time: undefined });

/**
 * Never throws: those of streams and of old peers are empty, and no odd one is worth a connection. What is unreadable
 * is left out.
 */
export function decodePing(payload: Uint8Array | undefined): PingBody {
  // not left to the reader: an error's stack costs more than all else of a ping
  if (payload === undefined || payload.length === 0) return NO_TIME;
  let time: WireTime | undefined;
  try {
    const reader = bodyReader(payload);
    readBody(reader, (key) => {
      if (key === 't') time = readPingTime(reader);
      return key === 't';
    });
  } catch (error) {
    if (!GridError.is(error)) throw error;
  }
  return { time };
}

/** The bytes may be shared: they are only to be read. */
export function encodePong(body: PongBody): Uint8Array {
  const { notFound, error, time } = body;
  return !notFound && error === undefined && time === undefined ? ALIVE : pongBytes(body);
}

function pongBytes({ notFound, error, time }: PongBody): Uint8Array {
  const target = new Uint8Array(16 + maxStrBytes(error ?? '') + TIME_BYTES);
  let at = putMapHeader(target, 0, time === undefined ? 2 : 3);
  at = putBool(target, putStr(target, at, 'nf'), notFound);
  at = putStr(target, at, 'e');
  at = error === undefined ? putNil(target, at) : putStr(target, at, error);
  if (time !== undefined) at = putTime(target, putStr(target, at, 't'), time);
  return target.subarray(0, at);
}

/** The answer to each ping of a stream. */
const ALIVE = pongBytes({ notFound: false });

/**
 * Pongs of old peers are empty or lack keys, those of newer ones may have more: an empty payload says "alive", a
 * missing key its default. Throws a violation for bytes that are no map, and for `nf` or `e` of another type.
 */
export function decodePong(payload: Uint8Array | undefined): PongBody {
  const reader = bodyReader(payload);
  let notFound = false;
  let error: string | undefined;
  let time: WireTime | undefined;
  if (reader.remaining === 0) return { notFound, error, time };
  readBody(reader, (key) => {
    switch (key) {
      case 'nf':
        notFound = reader.bool(key);
        return true;
      case 'e':
        if (reader.kind() === 'nil') return false;
        error = reader.text(key);
        return true;
      case 't':
        time = readPingTime(reader);
        return true;
      default:
        return false;
    }
  });
  return { notFound, error, time };
}

function readPingTime(reader: MsgpackReader): WireTime | undefined {
  if (reader.kind() === 'ext') return readTime(reader, 't');
  reader.skip();
  return undefined;
}
