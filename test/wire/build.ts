import { readFileSync } from 'node:fs';
import {
  EXTENSIONS,
  encodeItemHeader,
  encodeMergedHeader,
  encodeMessage,
  itemHeaderSize,
  maxEncodedSize,
  MERGED_HEADER_MAX,
  Op,
  type DecodeRules,
  type Message,
} from '../../lib/wire/index.js';

/** A peer without extensions. */
export const V1_RULES: DecodeRules = { extensions: new Set(), messageBytes: 1 << 24, frameMessages: 10_000 };
/** A peer that can do all of wire spec §11. */
export const FULL_RULES: DecodeRules = { ...V1_RULES, extensions: new Set([...EXTENSIONS, 'meta', 'error', 'drain']) };

export const SUBROUTE = Uint8Array.from({ length: 32 }, (_, i) => 200 + i);

/** A message of small numbers, with what the test cares for. */
export function messageOf(facts: Partial<Message> = {}): Message {
  return { muxId: 1, seq: 0, deadlineMs: 0, handler: 0, op: Op.Request, flags: 0, payload: undefined, ...facts };
}

export function bytesOf(message: Message): Uint8Array {
  const target = new Uint8Array(maxEncodedSize(message));
  return target.slice(0, encodeMessage(message, target, 0));
}

/** A Merged of items that are encoded already; `count` is what its head claims. */
export function mergedOf(items: readonly Uint8Array[], count = items.length): Uint8Array {
  const size = items.reduce((sum, item) => sum + itemHeaderSize(item.length) + item.length, MERGED_HEADER_MAX);
  const target = new Uint8Array(size);
  let at = encodeMergedHeader(count, target, 0);
  for (const item of items) {
    at = encodeItemHeader(item.length, target, at);
    target.set(item, at);
    at += item.length;
  }
  return target.slice(0, at);
}

export function hexBytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Byte i = (i * 31 + 7) mod 256: the content of the sized vectors. */
export function patternBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + 7) % 256);
}

/** The project's vectors are what the code is held against. */
export function vectorsOf<T>(name: string): T {
  return JSON.parse(readFileSync(`test/vectors/${name}.json`, 'utf8')) as T;
}
