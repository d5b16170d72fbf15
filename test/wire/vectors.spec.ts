import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  decodeConnectRequest,
  decodeConnectResponse,
  decodeFrame,
  decodeMuxConnectError,
  decodePing,
  decodePong,
  encodeConnectRequest,
  encodeConnectResponse,
  encodeMuxConnectError,
  encodePing,
  encodePong,
  Flag,
  Op,
  subrouteId,
  subrouteKey,
  wireTimeOf,
  type Message,
} from '../../lib/wire/index.js';
import { bytesOf, hexBytes, hexOf, mergedOf, patternBytes, V1_RULES, vectorsOf } from './build.js';

interface Vector {
  name: string;
  message: Record<'seq' | 'deadlineMs' | 'handler' | 'op' | 'flags', number> & {
    muxId: string;
    payload?: string;
    payloadPattern?: number;
  };
  subrouteId?: string;
  body?: {
    ID?: string;
    Host?: string;
    Time?: string;
    Token?: string;
    Accepted?: boolean;
    RejectedReason?: string;
    Error?: string;
    nf?: boolean;
    e?: string | null;
    t?: string;
  };
  frame?: string;
  frameSha256?: string;
}

const wire = vectorsOf<{ messages: Vector[]; merged: { name: string; items: string[]; frame: string }[] }>('wire-v1');
const subroutes = vectorsOf<{ handler: number; subroute: string; id: string }[]>('subroute-v1');
const withBody = wire.messages.filter((vector) => vector.body);

function messageOfVector({ message, subrouteId }: Vector): Message {
  const { payloadPattern, payload = '', muxId, seq, deadlineMs, handler, op, flags } = message;
  const bytes = payloadPattern === undefined ? hexBytes(payload) : patternBytes(payloadPattern);
  return {
    muxId: BigInt(muxId) <= Number.MAX_SAFE_INTEGER ? Number(muxId) : BigInt(muxId),
    seq,
    deadlineMs,
    handler,
    op: op as Op,
    flags,
    payload: bytes.length > 0 || flags & Flag.PayloadIsZero ? bytes : undefined,
    subroute: subrouteId === undefined ? undefined : hexBytes(subrouteId),
  };
}

function frameOf({ frame }: { frame?: string }): Uint8Array {
  if (frame === undefined) throw new Error('a vector without a frame');
  return hexBytes(frame);
}

describe('wire vectors', () => {
  it.each(wire.messages)('$name: the message becomes the frame', (vector) => {
    const bytes = bytesOf(messageOfVector(vector));
    if (vector.frame !== undefined) expect(hexOf(bytes)).toBe(vector.frame);
    else expect(createHash('sha256').update(bytes).digest('hex')).toBe(vector.frameSha256);
  });

  it.each(wire.messages)('$name: the frame becomes the message', (vector) => {
    const message = messageOfVector(vector);
    const frame = vector.frame === undefined ? bytesOf(message) : frameOf(vector);
    expect(decodeFrame(frame, V1_RULES)).toEqual([message]);
  });

  it.each(wire.merged)('$name: both ways', ({ items, frame }) => {
    expect(hexOf(mergedOf(items.map(hexBytes)))).toBe(frame);
    const messages = decodeFrame(hexBytes(frame), V1_RULES);
    expect(messages.map((message) => hexOf(bytesOf(message)))).toEqual(items);
  });

  it.each(withBody)('$name: its body, both ways', (vector) => {
    const { payload, op } = messageOfVector(vector);
    const { ID, Host, Time, Token, Accepted, RejectedReason, Error: text, nf, e, t } = vector.body!;
    const time = wireTimeOf(Date.parse(Time ?? t ?? ''));
    switch (op) {
      case Op.Connect: {
        const request = { id: hexBytes(ID!), host: Host!, time, token: Token! };
        expect(decodeConnectRequest(payload)).toEqual(request);
        expect(encodeConnectRequest(request)).toEqual(payload);
        break;
      }
      case Op.ConnectResponse: {
        const response = { id: hexBytes(ID!), accepted: Accepted!, rejectedReason: RejectedReason! };
        expect(decodeConnectResponse(payload)).toEqual(response);
        expect(encodeConnectResponse(response)).toEqual(payload);
        break;
      }
      case Op.Ping:
        expect(decodePing(payload)).toEqual({ time });
        expect(encodePing({ time })).toEqual(payload);
        break;
      case Op.Pong: {
        const pong = { notFound: nf!, error: e ?? undefined, time };
        expect(decodePong(payload)).toEqual(pong);
        expect(encodePong(pong)).toEqual(payload);
        break;
      }
      default:
        expect(op).toBe(Op.MuxConnectError);
        expect(decodeMuxConnectError(payload)).toBe(text);
        expect(encodeMuxConnectError(text!)).toEqual(payload);
    }
  });
});

describe('subroute ids', () => {
  it.each(subroutes)('$handler, $subroute', ({ handler, subroute, id }) => {
    expect(hexOf(subrouteId(handler, subroute))).toBe(id);
    expect(subrouteKey(subrouteId(handler, subroute))).toBe(id);
  });

  it('has its key from a view in the middle of a frame', () => {
    const frame = new Uint8Array(40).fill(0xee);
    frame.set(subrouteId(60, 'disk1'), 5);
    expect(subrouteKey(frame.subarray(5, 37))).toBe(subrouteKey(subrouteId(60, 'disk1')));
  });
});
