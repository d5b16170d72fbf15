import { GridError } from '../errors/index.js';
import type { Metadata } from './message.js';
import type { MsgpackReader } from './msgpack-reader.js';
import { countHeaderBytes, putMapHeader, putStr, strBytes } from './msgpack-writer.js';
import { leavesGap, makeSparse } from './sparse-names.js';
import { violation } from './violation.js';

/** The most bytes of encoded metadata that a message may carry (wire spec §11, `meta`). */
export const METADATA_BYTES = 8192;

/** What UTF-8 has no form for. With the flag u a pair is one character, which is no surrogate. */
export const LONE_SURROGATE = /\p{Surrogate}/u;

const NO_METADATA: Metadata = Object.freeze({});

/**
 * Encoded size in bytes. Throws INVALID_ARGUMENT for a string with a lone surrogate: UTF-8 has no form for it, and two
 * such keys could become the same one.
 */
export function metadataSize(metadata: Metadata): number {
  const keys = Object.keys(metadata);
  let size = countHeaderBytes(keys.length);
  for (const key of keys) {
    const value = metadata[key]!;
    if (LONE_SURROGATE.test(key) || LONE_SURROGATE.test(value)) {
      throw new GridError('INVALID_ARGUMENT', `metadata ${JSON.stringify(key)}: a lone surrogate has no UTF-8 form`);
    }
    size += strBytes(key) + strBytes(value);
  }
  return size;
}

/** Writes the map in the order of its keys; returns where it ends. */
export function encodeMetadata(metadata: Metadata, target: Uint8Array, offset: number): number {
  const keys = Object.keys(metadata);
  let at = putMapHeader(target, offset, keys.length);
  for (const key of keys) {
    at = putStr(target, at, key);
    at = putStr(target, at, metadata[key]!);
  }
  return at;
}

/**
 * Reads one map str → str. Duplicate keys, other types and invalid UTF-8 are violations. What stands past
 * `METADATA_BYTES` is only walked, and such a map yields no entries: its call is refused by its size, and keeping them
 * would let a peer turn one frame into millions of strings.
 */
export function decodeMetadata(reader: MsgpackReader): Metadata {
  const cap = reader.at + METADATA_BYTES;
  // no prototype: a key "__proto__" or "constructor" is a key like any other
  const metadata = Object.create(null) as Record<string, string>;
  const count = reader.mapHeader('metadata');
  let sparse = false;
  for (let i = 0; i < count; i++) {
    if (reader.at >= cap) return walk(reader, count - i);
    const key = reader.name('a metadata key');
    if (key in metadata) throw violation('metadata has a key twice');
    if (!sparse && leavesGap(key, i)) {
      sparse = true;
      makeSparse(metadata);
    }
    metadata[key] = reader.str('a metadata value');
  }
  return reader.at > cap ? NO_METADATA : metadata;
}

function walk(reader: MsgpackReader, pairs: number): Metadata {
  for (let strings = 2 * pairs; strings > 0; strings--) reader.advance(reader.strHeader('metadata'));
  return NO_METADATA;
}
