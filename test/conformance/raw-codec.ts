// A second reading of the wire protocol, written without a look at lib/: a misreading there must not be shared here.
import { createHash } from 'node:crypto';
import { createXXHash3 } from 'hash-wasm';
import { bin, bool, map, nil, Reader, readMap, str, time, uint, type Value } from './raw-msgpack.js';

const hasher = await createXXHash3();

/** XXH3, 64 bit, seed 0. */
export function xxh3(bytes: Uint8Array | string): bigint {
  const data = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
  return BigInt(`0x${hasher.init().update(data).digest('hex')}`);
}

/** Whether `local` is the one of the two that dials (§1). */
export function dials(local: string, remote: string): boolean {
  const mine = xxh3(local + remote);
  const other = xxh3(remote + local);
  return mine === other ? Buffer.compare(Buffer.from(local), Buffer.from(remote)) < 0 : mine < other;
}

export const op = {
  Connect: 1,
  ConnectResponse: 2,
  Ping: 3,
  Pong: 4,
  ConnectMux: 5,
  MuxConnectError: 6,
  DisconnectClientMux: 7,
  DisconnectServerMux: 8,
  MuxClientMsg: 9,
  MuxServerMsg: 10,
  UnblockSrvMux: 11,
  UnblockClMux: 12,
  AckMux: 13,
  Request: 14,
  Response: 15,
  Disconnect: 16,
  Merged: 17,
} as const;

export const CRC = 0x01;
export const EOF = 0x02;
export const STATELESS = 0x04;
export const ERR = 0x08;
export const ZERO = 0x10;
export const SUBROUTE = 0x20;
export const METADATA = 0x40;
export const MANY = 0x80;

/** One message, all fields as they stand on the wire; `payload` is empty for none. */
export interface RawMessage {
  muxId: bigint;
  seq: number;
  deadlineMs: number;
  handler: number;
  op: number;
  flags: number;
  payload: Buffer;
  /** The encoded map, iff METADATA. */
  metadata?: Buffer | undefined;
  subroute?: Buffer | undefined;
}

/** What a test writes down of a message; the rest is 0, none, and the CRC flag. */
export type MessageParts = Partial<Omit<RawMessage, 'muxId' | 'payload'>> & {
  op: number;
  muxId?: number | bigint;
  payload?: Uint8Array | string | undefined;
};

/** Integer widths other than the shortest, by field. */
export type Widths = Partial<Record<'muxId' | 'seq' | 'deadlineMs' | 'handler' | 'op' | 'flags', 8 | 16 | 32 | 64>> & {
  payload?: 16 | 32;
};

export function complete(parts: MessageParts): RawMessage {
  const payload =
    typeof parts.payload === 'string' ? Buffer.from(parts.payload, 'utf8') : Buffer.from(parts.payload ?? []);
  return {
    seq: 0,
    deadlineMs: 0,
    handler: 0,
    flags: CRC,
    ...parts,
    muxId: BigInt(parts.muxId ?? 0),
    payload,
  };
}

/** The bytes of one message (§2). */
export function encode(parts: MessageParts, widths: Widths = {}): Buffer {
  const message = complete(parts);
  const pieces: Uint8Array[] = [
    Buffer.from([0x97]),
    uint(message.muxId, widths.muxId),
    uint(message.seq, widths.seq),
    uint(message.deadlineMs, widths.deadlineMs),
    uint(message.handler, widths.handler),
    uint(message.op, widths.op),
    uint(message.flags, widths.flags),
    bin(message.payload, widths.payload),
  ];
  if (message.flags & METADATA) pieces.push(message.metadata ?? map([]));
  if (message.flags & SUBROUTE) pieces.push(message.subroute ?? Buffer.alloc(32));
  const body = Buffer.concat(pieces);
  return message.flags & CRC ? Buffer.concat([body, crc(body)]) : body;
}

export function crc(body: Uint8Array): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(Number(xxh3(body) & 0xffffffffn));
  return out;
}

/** A frame that holds these messages, each encoded already (§4). */
export function merged(items: readonly Uint8Array[], count = items.length): Buffer {
  return Buffer.concat([encode({ op: op.Merged, seq: count, flags: 0 }), ...items.map((item) => bin(item))]);
}

/** Subroute id of §7. */
export function subrouteId(handler: number, subroute: string): Buffer {
  const id = createHash('sha256').update(subroute, 'utf8').digest();
  id[0] = handler;
  id[1] = 0;
  return id;
}

function field(value: Value | undefined): number {
  if (typeof value !== 'bigint') throw new Error(`an integer was expected, got ${String(value)}`);
  return Number(value);
}

/** The messages of a frame. Checks that the sender wrote every byte as §2 and §4 say, and nothing more. */
export function decode(frame: Buffer, insideMerged = false): RawMessage[] {
  const reader = new Reader(frame);
  const fields = reader.value();
  if (!Array.isArray(fields) || fields.length !== 7 || frame[0] !== 0x97)
    throw new Error(`no message: ${frame.toString('hex')}`);
  const [muxId, seq, deadlineMs, handler, opCode, flags, payload] = fields;
  if (typeof muxId !== 'bigint' || !Buffer.isBuffer(payload)) throw new Error(`no message: ${frame.toString('hex')}`);
  const message: RawMessage = {
    muxId,
    seq: field(seq),
    deadlineMs: field(deadlineMs),
    handler: field(handler),
    op: field(opCode),
    flags: field(flags),
    payload: Buffer.from(payload),
  };
  if (message.op === op.Merged) {
    if (insideMerged) throw new Error('Merged inside Merged');
    return decodeMerged(frame, message, reader);
  }
  if (message.flags & METADATA) {
    const start = reader.at;
    readMap(reader);
    message.metadata = Buffer.from(frame.subarray(start, reader.at));
  }
  if (message.flags & SUBROUTE) message.subroute = Buffer.from(reader.take(32));
  if (message.flags & CRC) reader.take(4);
  if (reader.rest > 0) throw new Error(`${reader.rest} bytes left over: ${frame.toString('hex')}`);
  const expected = encode(message);
  if (!expected.equals(frame)) {
    throw new Error(
      `not the shortest form, or a wrong CRC: ${frame.toString('hex')} in place of ${expected.toString('hex')}`,
    );
  }
  return [message];
}

function decodeMerged(frame: Buffer, head: RawMessage, reader: Reader): RawMessage[] {
  const expected = encode({ op: op.Merged, seq: head.seq, flags: 0 });
  if (!frame.subarray(0, reader.at).equals(expected))
    throw new Error(`Merged carries more than its count: ${frame.toString('hex')}`);
  const messages: RawMessage[] = [];
  while (reader.rest > 0) {
    const item = reader.value();
    if (!Buffer.isBuffer(item)) throw new Error('an item of Merged is no bin');
    messages.push(...decode(item, true));
  }
  if (messages.length !== head.seq) throw new Error(`Merged says ${head.seq} items and has ${messages.length}`);
  return messages;
}

export function connectRequest(facts: {
  id: Buffer;
  host: string;
  time?: number | undefined;
  token: string;
  more?: [string, Buffer][] | undefined;
}): Buffer {
  return map([
    ['ID', bin(facts.id)],
    ['Host', str(facts.host)],
    ['Time', time(facts.time ?? Date.now())],
    ['Token', str(facts.token)],
    ...(facts.more ?? []),
  ]);
}

export function connectResponse(facts: {
  id: Buffer;
  accepted: boolean;
  reason?: string | undefined;
  more?: [string, Buffer][] | undefined;
}): Buffer {
  return map([
    ['ID', bin(facts.id)],
    ['Accepted', bool(facts.accepted)],
    ['RejectedReason', str(facts.reason ?? '')],
    ...(facts.more ?? []),
  ]);
}

export const muxConnectError = (text: string): Buffer => map([['Error', str(text)]]);

/** The body of wire spec §11, `capacity`: messages that may be unacknowledged, each way. */
export function capacities(input: number, output: number): Buffer {
  return map([
    ['in', uint(input)],
    ['out', uint(output)],
  ]);
}

export function pongBody(facts: { notFound?: boolean; error?: string; time?: number }): Buffer {
  return map([
    ['nf', bool(facts.notFound ?? false)],
    ['e', facts.error === undefined ? nil : str(facts.error)],
    ['t', time(facts.time ?? Date.now())],
  ]);
}
