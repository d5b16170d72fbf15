import { randomFillSync } from 'node:crypto';
import type { Writable } from 'node:stream';
import { maskInPlace } from '../wire/index.js';

/** The last frame of a message, binary; masked; and what says that a longer length follows (RFC 6455 §5.2). */
const FIN_BINARY = 0x82;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const KEY_BYTES = 4;

/** The longest header: flags, a length of 64 bits, a key. */
export const WS_HEADER_MAX = 14;

/** What is below a WebSocket. */
export interface FrameSink {
  readonly stream: Writable;
  /** It dialed: what it sends must be masked. */
  readonly masks: boolean;
}

/** Made in advance: to ask for four random bytes costs more than to mask a small frame. */
const keys = new Uint32Array(1024);
let usedKeys = keys.length;

/**
 * Writes a binary message in one piece: its header goes into the `WS_HEADER_MAX` bytes in front of it, and it is masked
 * where it is. `ws` makes a Buffer for each header, and another for each frame that it masks. False: it must be masked
 * and is not in the codec's memory; nothing was done.
 */
export function writeFrame(sink: FrameSink, frame: Uint8Array, done: (error?: Error) => void): boolean {
  const { length } = frame;
  const lengthBytes = length < LENGTH_16 ? 0 : length <= 0xffff ? 2 : 8;
  const headerBytes = 2 + lengthBytes + (sink.masks ? KEY_BYTES : 0);
  const bytes = Buffer.from(frame.buffer, frame.byteOffset - headerBytes, headerBytes + length);
  if (sink.masks) {
    const key = nextKey();
    if (!maskInPlace(frame, key)) return false;
    bytes.writeUInt32LE(key, headerBytes - KEY_BYTES);
  }
  bytes[0] = FIN_BINARY;
  bytes[1] = (sink.masks ? MASKED : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? LENGTH_16 : LENGTH_64);
  if (lengthBytes === 2) bytes.writeUInt16BE(length, 2);
  // no frame has 2^48 bytes
  else if (lengthBytes === 8) bytes.writeUIntBE(length, bytes.writeUInt16BE(0, 2), 6);
  sink.stream.write(bytes, (error) => done(error ?? undefined));
  return true;
}

function nextKey(): number {
  if (usedKeys === keys.length) {
    randomFillSync(keys);
    usedKeys = 0;
  }
  return keys[usedKeys++]!;
}
