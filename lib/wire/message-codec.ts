import { GridError } from '../errors/index.js';
import { wasmCodec } from './codec.js';
import { CRC_BYTES, crcAt, crcOf, putCrc } from './crc.js';
import type { DecodeRules } from './decode-rules.js';
import type { Extension } from './dialect.js';
import { Flag } from './flag.js';
import { EMPTY_VIEW, FrameMemory } from './frame-view.js';
import { CONNECTION_MUX_ID, ReceivedMessage, type Message, type Metadata, type MuxId } from './message.js';
import { decodeMetadata, encodeMetadata, metadataSize } from './metadata.js';
import type { MsgpackReader } from './msgpack-reader.js';
import {
  binHeaderBytes,
  MAX_HEADER_BYTES,
  MAX_UINT_BYTES,
  putBinHeader,
  putMuxId,
  putUint,
  uintBytes,
} from './msgpack-writer.js';
import { FIRST_OP, LAST_OP, Op } from './op.js';
import { SUBROUTE_BYTES } from './subroute.js';
import { crcMismatch, tooManyBytes, violation } from './violation.js';

/** What an op is about: its muxId is 0, not 0, or either (wire spec §2, §8). */
type Scope = 'connection' | 'call' | 'either';

const SCOPES: Readonly<Record<Op, Scope>> = {
  [Op.Connect]: 'connection',
  [Op.ConnectResponse]: 'connection',
  [Op.Ping]: 'either',
  [Op.Pong]: 'either',
  [Op.ConnectMux]: 'call',
  [Op.MuxConnectError]: 'call',
  [Op.DisconnectClientMux]: 'call',
  [Op.DisconnectServerMux]: 'call',
  [Op.MuxClientMsg]: 'call',
  [Op.MuxServerMsg]: 'call',
  [Op.UnblockSrvMux]: 'call',
  [Op.UnblockClMux]: 'call',
  [Op.AckMux]: 'call',
  [Op.Request]: 'call',
  [Op.Response]: 'call',
  [Op.Disconnect]: 'connection',
  [Op.Merged]: 'connection',
};

/** "a MessagePack array of exactly 7 (`0x97`)" (wire spec §2). */
const ARRAY_OF_7 = 0x97;
const UINT8 = 0xff;
const UINT32 = 0xffff_ffff;

const V1_FLAGS = Flag.Crc | Flag.Eof | Flag.Stateless | Flag.PayloadIsErr | Flag.PayloadIsZero | Flag.Subroute;

/**
 * The most bytes beside payload and metadata: array, muxId, seq, deadlineMs, handler, op, flags, payload header,
 * subroute id, CRC.
 */
export const MAX_FIXED_BYTES = 1 + MAX_UINT_BYTES + 5 + 5 + 2 + 1 + 2 + MAX_HEADER_BYTES + SUBROUTE_BYTES + CRC_BYTES;

/** The smallest message: the array, six fields of one byte each, an empty payload of two. */
export const MIN_MESSAGE_BYTES = 9;

/** A cheap upper bound of what `encodeMessage` writes, in bytes. Throws as `metadataSize` does. */
export function maxEncodedSize(message: Message): number {
  const size = MAX_FIXED_BYTES + (message.payload?.length ?? 0);
  return message.metadata === undefined ? size : size + metadataSize(message.metadata);
}

/** What `encodeMessage` writes in front of the payload, in bytes. */
export function headSize({ muxId, seq, deadlineMs, handler, op, flags, payload }: Message): number {
  const numbers = uintBytes(muxId) + uintBytes(seq) + uintBytes(deadlineMs) + uintBytes(handler);
  return 1 + numbers + uintBytes(op) + uintBytes(flags) + binHeaderBytes(payload?.length ?? 0);
}

/** What it writes behind the payload, in bytes. Throws as `metadataSize` does. */
export function trailerSize({ flags, metadata }: Message): number {
  const size = (flags & Flag.Subroute ? SUBROUTE_BYTES : 0) + (flags & Flag.Crc ? CRC_BYTES : 0);
  return metadata === undefined ? size : size + metadataSize(metadata);
}

/**
 * Writes one message with its metadata, subroute id and CRC as its flags say, and returns where it ends. The payload
 * is copied, unless it `isPlaced`: its bytes stand `headSize(message)` behind `offset` already. `target` must have room
 * for `maxEncodedSize(message)` from `offset` on.
 */
export function encodeMessage(message: Message, target: Uint8Array, offset: number, isPlaced = false): number {
  const { muxId, flags, payload } = message;
  const payloadBytes = payload === undefined ? 0 : payload.length;
  const address = wasmCodec === undefined ? -1 : wasmCodec.addressOf(target);
  let at =
    address >= 0 && typeof muxId === 'number'
      ? wasmCodec!.putHead(message, muxId, payloadBytes, address + offset) - address
      : putHead(message, payloadBytes, target, offset);
  if (isPlaced) at += payloadBytes;
  else if (payload !== undefined) at = putBytes(target, at, payload);
  if (flags & Flag.Metadata) at = encodeMetadata(message.metadata ?? missing('metadata'), target, at);
  if (flags & Flag.Subroute) at = putBytes(target, at, message.subroute ?? missing('a subroute id'));
  if (!(flags & Flag.Crc)) return at;
  if (address >= 0) wasmCodec!.putCrc(address + offset, at - offset);
  else putCrc(target, at, crcOf(target, offset, at));
  return at + CRC_BYTES;
}

/** Everything up to the payload, whose header is the last of it; returns where that ends. */
export function putHead(message: Message, payloadBytes: number, target: Uint8Array, offset: number): number {
  target[offset] = ARRAY_OF_7;
  let at = putMuxId(target, offset + 1, message.muxId);
  at = putUint(target, at, message.seq);
  at = putUint(target, at, message.deadlineMs);
  at = putUint(target, at, message.handler);
  at = putUint(target, at, message.op);
  at = putUint(target, at, message.flags);
  return putBinHeader(target, at, payloadBytes);
}

/**
 * Reads the one message that fills the reader's range; of a Merged only its head, the items follow. Every rule of wire
 * spec §2 and §11 that concerns one message alone is checked. Throws a `GridError` and nothing else.
 */
export function decodeMessage(reader: MsgpackReader, rules: DecodeRules): Message {
  const { bytes, at: start } = reader;
  const memory = new FrameMemory(bytes);
  if (reader.byte() !== ARRAY_OF_7) throw violation('a message is an array of 7');
  const muxId = reader.uint64('muxId');
  const seq = reader.uint(UINT32, 'seq');
  const deadlineMs = reader.uint(UINT32, 'deadlineMs');
  const handler = reader.uint(UINT8, 'handler');
  const op = opOf(reader.uint(UINT8, 'op'), muxId);
  const flags = reader.uint(UINT8, 'flags');
  if ((flags & ~V1_FLAGS) !== 0) checkExtensionFlags(op, flags, rules.extensions);
  const payloadBytes = reader.binHeader('payload');
  if (payloadBytes > rules.messageBytes) throw tooManyBytes(payloadBytes, rules.messageBytes);
  let payload: Buffer | undefined;
  if (payloadBytes > 0) payload = memory.part(reader.at, payloadBytes);
  else if (flags & Flag.PayloadIsZero) payload = EMPTY_VIEW;
  reader.at += payloadBytes;

  let subroute: Buffer | undefined;
  let metadata: Metadata | undefined;
  let metadataBytes: number | undefined;
  if (op === Op.Merged) {
    if (deadlineMs + handler + flags + payloadBytes !== 0) throw violation('Merged with more than a count');
  } else {
    // the trailers stand at the end of the range: what is before them belongs to the metadata or to nobody
    if (flags & Flag.Crc) {
      cutTrailer(reader, CRC_BYTES);
      if (crcOf(bytes, start, reader.end) !== crcAt(bytes, reader.end)) throw crcMismatch();
    }
    if (flags & Flag.Subroute) {
      cutTrailer(reader, SUBROUTE_BYTES);
      subroute = memory.part(reader.end, SUBROUTE_BYTES);
    }
    if (flags & Flag.Metadata) {
      const metadataStart = reader.at;
      metadata = decodeMetadata(reader);
      metadataBytes = reader.at - metadataStart;
    }
    reader.finish('a message');
  }
  return new ReceivedMessage(muxId, seq, deadlineMs, handler, op, flags, payload, subroute, metadata, metadataBytes);
}

function cutTrailer(reader: MsgpackReader, bytes: number): void {
  if (reader.remaining < bytes) throw violation('a trailer is missing that the flags promise');
  reader.end -= bytes;
}

function opOf(number: number, muxId: MuxId): Op {
  if (number < FIRST_OP || number > LAST_OP) throw violation(`unknown op ${number}`);
  const op = number as Op;
  const scope = SCOPES[op];
  if (scope === 'call' ? muxId === CONNECTION_MUX_ID : scope === 'connection' && muxId !== CONNECTION_MUX_ID) {
    throw violation(`op ${op} with muxId ${muxId}`);
  }
  return op;
}

/** An extension's flag is known only where the extension is active, and only on the messages that it names. */
function checkExtensionFlags(op: Op, flags: number, extensions: ReadonlySet<Extension>): void {
  if (flags & Flag.Metadata && !(extensions.has('meta') && carriesMetadata(op, flags))) {
    throw violation(`unknown flag METADATA on op ${op}`);
  }
  if (flags & Flag.Many && !(extensions.has('upgrade') && op === Op.Request)) {
    throw violation(`unknown flag MANY on op ${op}`);
  }
}

function carriesMetadata(op: Op, flags: number): boolean {
  switch (op) {
    case Op.Request:
    case Op.ConnectMux:
    case Op.Response:
    case Op.MuxConnectError:
      return true;
    default:
      return op === Op.MuxServerMsg && (flags & Flag.Eof) !== 0;
  }
}

function missing(what: string): never {
  throw new GridError('INTERNAL', `the flags of a message promise ${what}, but it has none`);
}

function putBytes(target: Uint8Array, at: number, bytes: Uint8Array): number {
  const { length } = bytes;
  // a call of set costs more than these few stores
  if (length > 48) target.set(bytes, at);
  else for (let i = 0; i < length; i++) target[at + i] = bytes[i]!;
  return at + length;
}
