import { randomFillSync } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { BufferView, maskInPlace } from '../wire/index.js';
import { BINARY, FIN, KEY_BYTES, LENGTH_16, LENGTH_64, MASKED } from './ws-header.js';

/** What is below a WebSocket. */
export interface WsStream {
  readonly stream: Duplex;
  /** This end dialed: what it sends must be masked, what it receives must not. */
  readonly masks: boolean;
  /** The longest frame that is taken, in bytes: what `ws` was told as its `maxPayload`. */
  readonly maxBytes: number;
}

/** True iff Node's TLS is between the WebSocket and the network. */
export function isTls({ stream }: WsStream): boolean {
  return 'encrypted' in stream;
}

/** Made in advance: to ask for four random bytes costs more than to mask a small frame. */
const keys = new Uint32Array(1024);
let usedKeys = keys.length;

/**
 * Writes a binary frame in one piece: its header goes into the `WS_HEADER_MAX` bytes in front of it, and it is masked
 * where it is. `ws` makes a Buffer for each header, and another for each frame that it masks.
 */
export function writeFrame(
  { stream, masks }: WsStream,
  frame: Uint8Array,
  done: () => void,
  failed: (done: (error: Error) => void, error: Error) => void,
): void {
  const { length } = frame;
  const lengthBytes = length < LENGTH_16 ? 0 : length <= 0xffff ? 2 : 8;
  const headerBytes = 2 + lengthBytes + (masks ? KEY_BYTES : 0);
  const bytes = new BufferView(frame.buffer, frame.byteOffset - headerBytes, headerBytes + length);
  if (masks) {
    const key = nextKey();
    maskInPlace(frame, key);
    bytes.writeUInt32LE(key, headerBytes - KEY_BYTES);
  }
  bytes[0] = FIN | BINARY;
  bytes[1] = (masks ? MASKED : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? LENGTH_16 : LENGTH_64);
  if (lengthBytes === 2) bytes.writeUInt16BE(length, 2);
  // no frame has 2^48 bytes
  else if (lengthBytes === 8) bytes.writeUIntBE(length, bytes.writeUInt16BE(0, 2), 6);
  stream.write(bytes, (error) => (error ? failed(done, error) : done()));
}

function nextKey(): number {
  if (usedKeys === keys.length) {
    randomFillSync(keys);
    usedKeys = 0;
  }
  return keys[usedKeys++]!;
}
