import { MsgpackReader } from './msgpack-reader.js';
import { violation } from './violation.js';

/** Longest key of any body; longer ones are unknown without being looked at. */
const LONGEST_KEY = 16;

/**
 * Walks a body: a map whose keys come in any order. `readValue` reads the value of a key that it knows and says so; the
 * values of all others are skipped. A key that comes twice is read twice.
 */
export function readBody(reader: MsgpackReader, readValue: (key: string) => boolean): void {
  for (let pairs = reader.mapHeader('body'); pairs > 0; pairs--) {
    if (!readValue(readKey(reader))) reader.skip();
  }
}

function readKey(reader: MsgpackReader): string {
  if (reader.kind() !== 'str') {
    reader.skip();
    return '';
  }
  const length = reader.strHeader('key');
  const key = reader.view(length);
  return length > LONGEST_KEY ? '' : String.fromCharCode(...key);
}

/** For a key without which a body makes no sense. */
export function required<T>(value: T | undefined, body: string, key: string): T {
  if (value === undefined) throw violation(`${body} has no ${key}`);
  return value;
}

/** A reader of a message's payload, where "none" reads as no bytes. */
export function bodyReader(payload: Uint8Array | undefined): MsgpackReader {
  return new MsgpackReader(payload ?? NO_BYTES);
}

const NO_BYTES = new Uint8Array(0);
