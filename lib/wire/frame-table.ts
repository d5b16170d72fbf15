import { Flag } from './flag.js';
import { EMPTY_VIEW, FrameMemory } from './frame-view.js';
import { ReceivedMessage, type Message, type Metadata } from './message.js';
import { decodeMetadata } from './metadata.js';
import { MsgpackReader } from './msgpack-reader.js';
import type { Op } from './op.js';
import { SplitFrame, type Frame } from './split-frame.js';
import { SUBROUTE_BYTES } from './subroute.js';

/** Numbers of 32 bits in a row: lib/wire/assembly/frame.ts tells which. */
export const ROW_NUMBERS = 8;

/**
 * The messages of a frame from the table that the WebAssembly codec made of it. Their payloads and subroute ids are
 * parts of the frame, see `FrameMemory.part`. Throws a violation where metadata does not parse.
 */
export function readTable(table: Uint32Array, count: number, frame: Frame): Message[] {
  const messages: Message[] = [];
  const memory = frame instanceof SplitFrame ? frame : new FrameMemory(frame);
  for (let row = 0; row < count * ROW_NUMBERS; row += ROW_NUMBERS) {
    const head = table[row]!;
    const op = (head & 0xff) as Op;
    const flags = (head >>> 8) & 0xff;
    const handler = (head >>> 16) & 0xff;
    const low = table[row + 1]!;
    const high = table[row + 2]!;
    const muxId = high === 0 ? low : high * 0x1_0000_0000 + low;
    const seq = table[row + 3]!;
    const deadlineMs = table[row + 4]!;
    const payloadAt = table[row + 5]!;
    const payloadBytes = table[row + 6]!;
    let payload: Buffer | undefined;
    if (payloadBytes > 0) payload = memory.part(payloadAt, payloadBytes);
    else if (flags & Flag.PayloadIsZero) payload = EMPTY_VIEW;

    let subroute: Buffer | undefined;
    let metadata: Metadata | undefined;
    let metadataBytes: number | undefined;
    if (flags & (Flag.Subroute | Flag.Metadata)) {
      const trailer = table[row + 7]!;
      if (flags & Flag.Subroute) subroute = memory.part(trailer, SUBROUTE_BYTES);
      if (flags & Flag.Metadata) {
        const start = payloadAt + payloadBytes;
        const reader = new MsgpackReader(memory.part(start, trailer - start));
        metadataBytes = reader.remaining;
        metadata = decodeMetadata(reader);
        reader.finish('a message');
      }
    }
    const message =
      new ReceivedMessage(muxId, seq, deadlineMs, handler, op, flags, payload, subroute, metadata, metadataBytes);
    // most frames hold one message, and an array that `push` has made has room for seventeen
    if (count === 1) return [message];
    messages.push(message);
  }
  return messages;
}
