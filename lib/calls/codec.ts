import { Buffer } from 'node:buffer';
import { GridError } from '../errors/index.js';
import { withInto, type PayloadEncoder } from '../mux/index.js';
import { parseJson } from '../wire/index.js';

/**
 * Turns values into payload bytes and back. Both functions may throw: that one call fails then.
 *
 * `decode` is given a view of received memory which nothing writes to any more; it may keep the view. What `encode`
 * returns is copied before the call that sends it returns to the application's turn, or is never changed by the codec.
 */
export interface Codec<T = unknown> {
  /** Not asked for a payload of `undefined`, which is none; for a message of a stream it is. */
  encode(value: T): Uint8Array;
  /** `bytes`: what `encode` of the other end gave; of a peer that is not trusted, anything. */
  decode(bytes: Uint8Array): T;
}

/** What sends a payload next; see `Outbox.encode`. */
export interface PayloadSender {
  encode(value: unknown, codec: PayloadEncoder): Uint8Array;
}

/**
 * The payload of a value that `sender` sends next. `undefined` carries none at all: an absent request payload, a
 * request without a result.
 */
export function encodeOptional(sender: PayloadSender, codec: Codec, value: unknown): Uint8Array | undefined {
  return value === undefined ? undefined : sender.encode(value, codec);
}

/** The value of a payload that may be absent: `undefined` then, whatever the codec. */
export function decodeOptional(codec: Codec, payload: Uint8Array | undefined): unknown {
  return payload === undefined ? undefined : codec.decode(payload);
}

const EMPTY = new Uint8Array(0);

/**
 * Payloads as they are. Takes any Uint8Array; gives a Buffer, hardly ever copied: a view of the received memory. A
 * small one keeps up to 64 KiB alive: copy it if you keep it, and never use or transfer its `buffer`, which holds more.
 */
export function bytes(): Codec<Uint8Array> {
  return BYTES;
}

const BYTES: Codec<Uint8Array> = Object.freeze({
  encode(value: Uint8Array): Uint8Array {
    if (value instanceof Uint8Array) return value;
    // byte arrays of another realm are as good
    if (!ArrayBuffer.isView(value) || (value as Uint8Array).BYTES_PER_ELEMENT !== 1) {
      throw new GridError('INVALID_ARGUMENT', `codec bytes() takes a Uint8Array or Buffer, not ${kindOf(value)}`);
    }
    return value;
  },
  decode: asBuffer,
});

/**
 * JSON in UTF-8. `undefined` is written as no bytes at all, so that it round trips as a stream message too.
 * What JSON cannot hold is JSON's own business: `undefined` properties vanish, Dates become strings. A key `__proto__`
 * is not read.
 */
export function json(): Codec {
  return JSON_CODEC;
}

const JSON_CODEC: Codec = Object.freeze({
  encode: withInto(
    (value: unknown) => (value === undefined ? EMPTY : Buffer.from(jsonOf(value), 'utf8')),
    (value, memory, at, end) => (value === undefined ? EMPTY : putText(jsonOf(value), memory, at, end)),
  ),
  decode(payload: Uint8Array): unknown {
    return payload.length === 0 ? undefined : parseJson(asBuffer(payload).toString('utf8'));
  },
});

/** Strings as UTF-8. Bytes that are not UTF-8 are refused, not replaced. */
export function text(): Codec<string> {
  return TEXT_CODEC;
}

// ignoreBOM: a byte order mark is a character like any other
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const TEXT_CODEC: Codec<string> = Object.freeze({
  encode: withInto(
    (value: string) => Buffer.from(checkedText(value), 'utf8'),
    (value, memory, at, end) => putText(checkedText(value), memory, at, end),
  ),
  decode: (payload: Uint8Array): string => strictUtf8.decode(payload),
});

function jsonOf(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new GridError('INVALID_ARGUMENT', `codec json() cannot hold ${kindOf(value)}`);
  return text;
}

function checkedText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new GridError('INVALID_ARGUMENT', `codec text() takes a string, not ${kindOf(value)}`);
}

/** As `EncodeInto`. A character takes three bytes at most; they are counted only where that could be too many. */
function putText(text: string, memory: Buffer, at: number, end: number): number | Uint8Array {
  const fits = 3 * text.length <= end - at || Buffer.byteLength(text) <= end - at;
  return fits ? at + memory.write(text, at, end - at, 'utf8') : Buffer.from(text, 'utf8');
}

/** The same memory as a Buffer. */
export function asBuffer(view: Uint8Array): Buffer {
  return Buffer.isBuffer(view) ? view : Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}
