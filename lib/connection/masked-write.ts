import { randomFillSync } from 'node:crypto';
import type { Writable } from 'node:stream';
import { maskInPlace } from '../wire/index.js';

/** The last frame of a message, binary; masked; and what says that a longer length follows (RFC 6455 §5.2). */
const FIN_BINARY = 0x82;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Made in advance: to ask for four random bytes costs more than to mask a small frame. */
const keys = new Uint32Array(1024);
let usedKeys = keys.length;

/**
 * Writes a binary message as a WebSocket client does, masked where it is: `ws` masks into new memory, which costs an
 * allocation and a copy of each frame. False: the frame is not in the codec's memory, and nothing was done.
 */
export function writeMasked(stream: Writable, frame: Uint8Array, done: (error?: Error) => void): boolean {
  const key = nextKey();
  if (!maskInPlace(frame, key)) return false;
  stream.cork();
  stream.write(headerOf(frame.length, key));
  stream.write(frame, (error) => done(error ?? undefined));
  stream.uncork();
  return true;
}

function headerOf(length: number, key: number): Buffer {
  let header: Buffer;
  if (length < LENGTH_16) {
    header = Buffer.allocUnsafe(6);
    header[1] = MASKED | length;
  } else if (length <= 0xffff) {
    header = Buffer.allocUnsafe(8);
    header[1] = MASKED | LENGTH_16;
    header.writeUInt16BE(length, 2);
  } else {
    header = Buffer.allocUnsafe(14);
    header[1] = MASKED | LENGTH_64;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  header[0] = FIN_BINARY;
  header.writeUInt32LE(key, header.length - 4);
  return header;
}

function nextKey(): number {
  if (usedKeys === keys.length) {
    randomFillSync(keys);
    usedKeys = 0;
  }
  return keys[usedKeys++]!;
}
