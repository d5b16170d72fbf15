import { wasmCodec } from './codec.js';
import type { DecodeRules } from './decode-rules.js';
import { CONNECTION_MUX_ID, type Message } from './message.js';
import { decodeMessage, encodeMessage, MIN_MESSAGE_BYTES } from './message-codec.js';
import { MsgpackReader } from './msgpack-reader.js';
import { binHeaderBytes, MAX_HEADER_BYTES, putBinHeader } from './msgpack-writer.js';
import { Op } from './op.js';
import { joined, type Frame } from './split-frame.js';
import { tooManyMessages, violation } from './violation.js';

/** The most bytes of a Merged's head: array, muxId, seq = N, deadlineMs, handler, op, flags, empty payload. */
export const MERGED_HEADER_MAX = 13;

/** The most bytes that an item of a Merged needs beside its message. */
export const ITEM_HEADER_MAX = MAX_HEADER_BYTES;

/** The smallest item: a header of two bytes and the smallest message. */
const MIN_ITEM_BYTES = 2 + MIN_MESSAGE_BYTES;

/**
 * Takes one WebSocket message apart: its one message, or the N of a Merged (wire spec §2, §4). The WebAssembly codec
 * does what is usual and right; all else, every refusal included, comes from the plain decoder below.
 *
 * Hardly anything is copied: payloads and subroute ids are views of `frame`, unless they lie where it is split or take
 * less than half of memory larger than 64 KiB. The frame's memory is handed over with this call: whoever read it from
 * the socket must never write to it again, and the views stay valid for as long as anyone holds them. A small payload
 * that is kept keeps up to 64 KiB alive; copy it if you store it.
 *
 * @throws GridError, never anything else: DATA_LOSS for a CRC that differs, OUT_OF_RANGE (reason `limit`) for a payload
 * past `messageBytes`, INVALID_ARGUMENT for the rest (reason `protocol`, or `limit` for more than `frameMessages`). All
 * of them end the connection with `closeCodeOf(error)`; no message of the frame may be used then.
 */
export function decodeFrame(frame: Frame, rules: DecodeRules): Message[] {
  return wasmCodec?.decodeFrame(frame, rules) ?? decodePlainFrame(joined(frame), rules);
}

/** The same by nothing but TypeScript: what it accepts and refuses is what counts. */
export function decodePlainFrame(frame: Uint8Array, rules: DecodeRules): Message[] {
  const reader = new MsgpackReader(frame);
  const message = decodeMessage(reader, rules);
  return message.op === Op.Merged ? decodeItems(reader, message.seq, rules) : [message];
}

/**
 * Takes the one message of a frame that has to be no Merged; of that only the head is read, its op tells.
 * @throws GridError as `decodeFrame` does.
 */
export function decodeLone(frame: Frame, rules: DecodeRules): Message {
  return decodeMessage(new MsgpackReader(joined(frame)), rules);
}

function decodeItems(reader: MsgpackReader, count: number, rules: DecodeRules): Message[] {
  if (count > rules.frameMessages) throw tooManyMessages(count, rules.frameMessages);
  if (count * MIN_ITEM_BYTES > reader.remaining) throw violation(`Merged claims ${count} messages`);
  const messages: Message[] = [];
  const frameEnd = reader.end;
  while (messages.length < count) {
    const itemEnd = reader.binHeader('an item of Merged') + reader.at;
    reader.end = itemEnd;
    const message = decodeMessage(reader, rules);
    if (message.op === Op.Merged) throw violation('Merged inside Merged');
    messages.push(message);
    reader.at = itemEnd;
    reader.end = frameEnd;
  }
  reader.finish('Merged');
  return messages;
}

/** Writes the head of a Merged of `count` messages and returns where it ends; the items follow. */
export function encodeMergedHeader(count: number, target: Uint8Array, offset: number): number {
  const seq = count;
  const payload = undefined;
  return encodeMessage(
    { muxId: CONNECTION_MUX_ID, seq, deadlineMs: 0, handler: 0, op: Op.Merged, flags: 0, payload },
    target,
    offset,
  );
}

/** Bytes of the header in front of a Merged's item whose message has `length` bytes. */
export function itemHeaderSize(length: number): number {
  return binHeaderBytes(length);
}

/** Writes that header and returns where it ends; the message's bytes follow. */
export function encodeItemHeader(length: number, target: Uint8Array, offset: number): number {
  return putBinHeader(target, offset, length);
}
