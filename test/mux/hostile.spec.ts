import { describe, expect, it } from '@jest/globals';
import { GridError, TEXT } from '../../lib/errors/index.js';
import type { CallerStream, HandlerStream, IncomingRequest } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import {
  encodeCapacity,
  encodeMuxConnectError,
  encodePong,
  Flag,
  Op,
  type Message,
  type MuxId,
} from '../../lib/wire/index.js';
import { muxPair } from './mux-pair.js';
import { brief, bytes, SoloMux, text } from './solo-mux.js';
import { stream } from './streams.js';

const EOF = Flag.Crc | Flag.Eof;

function withStream(inCapacity: number, outCapacity = 1) {
  const calls: HandlerStream[] = [];
  const handler = { onStream: (call: HandlerStream) => void calls.push(call), inCapacity, outCapacity };
  const solo = new SoloMux({ handlers: { 65: handler }, extensions: [] });
  const openStream = (muxId: number, flags: number = Flag.Crc) => {
    solo.receive(Op.ConnectMux, muxId, { handler: 65, flags });
    solo.take();
    return calls.at(-1)!;
  };
  return { solo, openStream };
}

const ending = (messages: readonly Message[]) => {
  const [end, goodbye] = messages;
  expect(brief(messages)).toEqual([`MuxServerMsg#${end!.seq}`, 'DisconnectClientMux#0']);
  expect(end!.flags).toBe(Flag.Crc | Flag.Eof | Flag.PayloadIsErr);
  expect(goodbye!.payload).toBeUndefined();
  return text(end!.payload);
};

describe('B07 a peer that breaks the rules of one stream', () => {
  it('an error of its input that is not the end is no message, and the end all the same', () => {
    const { solo, openStream } = withStream(4);
    const call = openStream(7);
    solo.receive(Op.MuxClientMsg, 7, { seq: 1, payload: bytes('x') });
    solo.receive(Op.MuxClientMsg, 7, { seq: 2, flags: Flag.Crc | Flag.PayloadIsErr, payload: bytes('broken') });
    expect([text(call.input.take()), call.input.take()]).toEqual(['x', undefined]);
    expect(call.input.end).toMatchObject({ error: { code: 'UNKNOWN', message: 'broken' } });
    call.output.end();
  });

  it('a gap in the sequence ends the stream, told without a credit', () => {
    const { solo, openStream } = withStream(1);
    const call = openStream(7);
    solo.receive(Op.MuxClientMsg, 7, { seq: 3, payload: bytes('x') });
    expect(ending(solo.take())).toBe('receive sequence number mismatch. want 1, got 3');
    expect(call.aborted?.code).toBe('DATA_LOSS');
    expect(call.input.end?.error?.code).toBe('DATA_LOSS');
    expect(solo.mux.incoming).toBe(0);
    call.output.end();
    expect([solo.mux.running, solo.take().length]).toEqual([0, 0]);
  });

  it('one message more than the credits: "handler blocked"', () => {
    const { solo, openStream } = withStream(2);
    const call = openStream(7);
    for (let seq = 1; seq <= 3; seq++) solo.receive(Op.MuxClientMsg, 7, { seq, payload: bytes('x') });
    expect(ending(solo.take())).toBe('handler blocked');
    call.output.end();
  });

  it('a credit is returned only for what the handler took', () => {
    const { solo, openStream } = withStream(2);
    const call = openStream(7);
    solo.receive(Op.MuxClientMsg, 7, { seq: 1, payload: bytes('x') });
    solo.receive(Op.MuxClientMsg, 7, { seq: 2, payload: bytes('y') });
    expect(solo.take()).toEqual([]);
    expect(text(call.input.take())).toBe('x');
    expect(brief(solo.take())).toEqual(['UnblockClMux#1']);
    solo.receive(Op.MuxClientMsg, 7, { seq: 3, payload: bytes('z') });
    expect(solo.take()).toEqual([]);
    call.output.end();
  });

  it('input to a handler that takes none: "did not expect inbound message", with its end too; the end is fine', () => {
    const { solo, openStream } = withStream(0);
    openStream(7).output.fail;
    solo.receive(Op.MuxClientMsg, 7, { seq: 1, flags: EOF });
    expect(solo.take()).toEqual([]);
    for (const [muxId, flags] of [[8, Flag.Crc], [9, EOF]] as const) {
      const call = openStream(muxId);
      solo.receive(Op.MuxClientMsg, muxId, { seq: 1, flags, payload: bytes('x') });
      expect(ending(solo.take())).toBe('did not expect inbound message');
      expect(call.aborted?.code).toBe('FAILED_PRECONDITION');
      expect(call.input.available).toBe(0);
      call.output.end();
    }
  });

  it('input after the end of input ends the stream', () => {
    const { solo, openStream } = withStream(2);
    const call = openStream(7, EOF);
    solo.receive(Op.MuxClientMsg, 7, { seq: 1, payload: bytes('x') });
    expect(ending(solo.take())).toBe('did not expect inbound message');
    call.output.end();
  });

  it('a payload in the last input message is its last item', () => {
    const { solo, openStream } = withStream(1);
    const call = openStream(7);
    solo.receive(Op.MuxClientMsg, 7, { seq: 1, flags: EOF, payload: bytes('last') });
    expect(text(call.input.take())).toBe('last');
    expect(call.input.end).toEqual({ error: undefined });
    expect(solo.take()).toEqual([]);
    call.output.end();
  });

  it('credits in excess are dropped and counted, never more than the capacity is sent', () => {
    const { solo, openStream } = withStream(0, 2);
    const call = openStream(7);
    for (let seq = 1; seq <= 50; seq++) solo.receive(Op.UnblockSrvMux, 7, { seq });
    expect(call.output.credits).toBe(2);
    expect(solo.drops.filter((drop) => drop === 'excess-credit')).toHaveLength(50);
    call.output.end();
  });

  it('credits for a call that is over are ignored: no drop is counted, as each healthy stream may have some', () => {
    const { solo, openStream } = withStream(1, 2);
    const call = openStream(7);
    call.output.end();
    expect(solo.mux.incoming).toBe(0);
    solo.take();
    solo.receive(Op.UnblockSrvMux, 7, { seq: 1 });
    solo.receive(Op.UnblockClMux, 999, { seq: 1 });
    expect(solo.drops).toEqual([]);
    solo.receive(Op.MuxClientMsg, 7, { seq: 2, payload: bytes('too late') });
    expect(solo.drops).toEqual(['unknown-call']);
    expect(brief(solo.take())).toEqual(['DisconnectClientMux#0']);
  });

  it('a second opening of a muxId in use ends the connection', () => {
    const { solo, openStream } = withStream(0, 2);
    const call = openStream(7);
    solo.receive(Op.ConnectMux, 7, { handler: 65 });
    expect(solo.aborted).toMatchObject({ closeCode: 1002 });
    call.output.end();
  });

  it('a stateless stream is refused', () => {
    const { solo } = withStream(0);
    solo.receive(Op.ConnectMux, 7, { handler: 65, flags: Flag.Crc | Flag.Stateless });
    expect(brief(solo.take())).toEqual(['MuxConnectError#0']);
    expect(solo.mux.incoming).toBe(0);
  });

  it('sequence numbers wrap from 4294967295 to 0', () => {
    const { solo, openStream } = withStream(1, 1);
    const call = openStream(7);
    // the counter is internal: jump to its last values as 2^32 messages would
    const received = (call as unknown as { received: { next: number } }).received;
    received.next = 0xffff_ffff;
    solo.receive(Op.MuxClientMsg, 7, { seq: 0xffff_ffff, payload: bytes('x') });
    call.input.take();
    solo.receive(Op.MuxClientMsg, 7, { seq: 0, payload: bytes('y') });
    expect(text(call.input.take())).toBe('y');
    expect(call.aborted).toBeUndefined();
    call.output.end();
  });
});

describe('messages for calls that are not there (spec §6, H1, H13)', () => {
  it.each([
    ['MuxClientMsg', Op.MuxClientMsg, Flag.Crc, ['DisconnectClientMux#0']],
    ['MuxClientMsg with EOF', Op.MuxClientMsg, EOF, []],
    ['MuxServerMsg', Op.MuxServerMsg, Flag.Crc, ['DisconnectServerMux#0']],
    ['MuxServerMsg with EOF', Op.MuxServerMsg, EOF, []],
    ['AckMux', Op.AckMux, Flag.Crc, ['DisconnectServerMux#0']],
    ['Pong', Op.Pong, Flag.Crc, ['DisconnectServerMux#0']],
    ['UnblockSrvMux', Op.UnblockSrvMux, Flag.Crc, []],
    ['UnblockClMux', Op.UnblockClMux, Flag.Crc, []],
    ['DisconnectClientMux', Op.DisconnectClientMux, Flag.Crc, []],
    ['DisconnectServerMux', Op.DisconnectServerMux, Flag.Crc, []],
    ['Response', Op.Response, EOF, []],
    ['MuxConnectError', Op.MuxConnectError, EOF, []],
  ])('%s', (_name, op, flags, answers) => {
    const solo = new SoloMux();
    solo.receive(op, 99, { flags, payload: op === Op.Pong ? encodePong({ notFound: false }) : undefined });
    expect(brief(solo.take())).toEqual(answers);
    expect(solo.aborted).toBeUndefined();
  });

  it('a ping is answered with nf, a pong with nf is not', () => {
    const solo = new SoloMux();
    solo.receive(Op.Ping, 99, { seq: 4 });
    const [pong] = solo.take();
    expect(pong).toMatchObject({ op: Op.Pong, muxId: 99, seq: 4 });
    solo.receive(Op.Pong, 99, { payload: pong!.payload });
    expect(solo.take()).toEqual([]);
  });

  it('H1 data of an orphan cancels the orphan, and not the call of its host that has the same id', async () => {
    const orphans: HandlerStream[] = [];
    const others: HandlerStream[] = [];
    const handler = (calls: HandlerStream[]) => ({
      onStream: (call: HandlerStream) => void calls.push(call),
      inCapacity: 0,
      outCapacity: 2,
    });
    const handlers = { handlersA: { 65: handler(others) }, handlersB: { 65: handler(orphans) } };
    const pair = muxPair({ clock: new ManualClock(), ...handlers });
    const init = { handler: 65, subroute: undefined, payload: undefined, timeoutMs: undefined, input: false };
    const capacities = { inCapacity: undefined, outCapacity: undefined };
    const forgotten = pair.a.openStream({ ...init, ...capacities });
    const untouched = pair.b.openStream({ ...init, ...capacities });
    await pair.settle();
    const [opening] = pair.aToB.delivered;
    expect(pair.bToA.delivered.find(({ op }) => op === Op.ConnectMux)!.muxId).toBe(opening!.muxId);
    // forgotten: its cancel never arrives
    pair.aToB.hold();
    forgotten.cancel(new GridError('CANCELLED', TEXT.cancelled));
    expect(pair.aToB.withdraw(pair.aToB.delivered.length + 1)).toBe(true);
    pair.aToB.release();
    await pair.settle();
    expect(orphans[0]!.aborted).toBeUndefined();
    orphans[0]!.output.send(bytes('orphan'));
    await pair.settle();
    expect(orphans[0]!.aborted).toBeDefined();
    expect([untouched.over, others[0]!.aborted]).toEqual([false, undefined]);
    others[0]!.output.send(bytes('alive'));
    others[0]!.output.end();
    orphans[0]!.output.end();
    await pair.settle();
    expect(text(untouched.output.take())).toBe('alive');
    await pair.settle();
    expect([untouched.over, pair.a.running + pair.b.running]).toEqual([true, 0]);
  });

  it('H1 data for a forgotten call of ours leaves the call of the peer with the same id alone', () => {
    const { solo, openStream } = withStream(1);
    const call = openStream(7);
    solo.receive(Op.MuxServerMsg, 7, { seq: 0, payload: bytes('orphan') });
    expect(brief(solo.take())).toEqual(['DisconnectServerMux#0']);
    expect(call.aborted).toBeUndefined();
    call.output.end();
  });
});

describe('a handler side that breaks the rules, seen by the caller', () => {
  const init = {
    handler: 65,
    subroute: undefined,
    payload: undefined,
    timeoutMs: undefined,
    input: true,
    inCapacity: 1,
    outCapacity: 2,
  };
  const opened = () => {
    const solo = new SoloMux();
    const call = solo.mux.openStream(init);
    const { muxId } = solo.take()[0]!;
    return { solo, call, muxId };
  };

  it('a gap is "out-of-sequence item received", and the handler is told to stop', () => {
    const { solo, call, muxId } = opened();
    solo.receive(Op.AckMux, muxId);
    solo.receive(Op.MuxServerMsg, muxId, { seq: 2, payload: bytes('x') });
    expect(call.output.end?.error).toMatchObject({ code: 'DATA_LOSS', message: 'out-of-sequence item received' });
    expect(brief(solo.take())).toEqual(['DisconnectServerMux#0']);
  });

  it('more than the known capacity is "response blocked"; what came before is still there', () => {
    const { solo, call, muxId } = opened();
    solo.receive(Op.AckMux, muxId);
    for (let seq = 1; seq <= 3; seq++) solo.receive(Op.MuxServerMsg, muxId, { seq, payload: bytes(String(seq)) });
    expect(text(call.output.take())).toBe('1');
    expect(text(call.output.take())).toBe('2');
    expect(call.output.take()).toBeUndefined();
    expect(call.output.end?.error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: 'response blocked' });
  });

  it.each([
    ['DisconnectClientMux', Op.DisconnectClientMux, {}, 'UNAVAILABLE', 'remote terminated call'],
    [
      'DisconnectClientMux with a text',
      Op.DisconnectClientMux,
      { flags: Flag.Crc | Flag.PayloadIsErr, payload: bytes('handler blocked') },
      'FAILED_PRECONDITION',
      'handler blocked',
    ],
    ['Pong with nf', Op.Pong, { payload: encodePong({ notFound: true }) }, 'UNAVAILABLE', 'remote terminated call'],
    [
      'Pong with e',
      Op.Pong,
      { payload: encodePong({ notFound: false, error: 'x' }) },
      'UNAVAILABLE',
      'remote terminated call',
    ],
    [
      'a MuxConnectError',
      Op.MuxConnectError,
      { flags: EOF, payload: encodeMuxConnectError('no room') },
      expect.any(String),
      'no room',
    ],
    [
      'a gap in the sequence',
      Op.MuxServerMsg,
      { seq: 9, payload: bytes('x') },
      'DATA_LOSS',
      'out-of-sequence item received',
    ],
    [
      'an error that is not the end',
      Op.MuxServerMsg,
      { seq: 3, flags: Flag.Crc | Flag.PayloadIsErr, payload: bytes('broken') },
      'UNKNOWN',
      'broken',
    ],
    ['one item too many', Op.MuxServerMsg, { seq: 3, payload: bytes('x') }, 'RESOURCE_EXHAUSTED', 'response blocked'],
  ] as const)(
    'H2 %s before the end is an error, never a clean end, with a full buffer too',
    (_n, op, fields, code, message) => {
      const { solo, call, muxId } = opened();
      solo.receive(Op.AckMux, muxId);
      for (let seq = 1; seq <= 2; seq++) solo.receive(Op.MuxServerMsg, muxId, { seq, payload: bytes('x') });
      solo.receive(op, muxId, fields);
      expect([call.output.take(), call.output.take()].every(Boolean)).toBe(true);
      expect(call.output.end?.error).toMatchObject({ code, message });
      expect(solo.mux.outgoing).toBe(0);
    },
  );

  it('DisconnectClientMux after the end changes nothing', () => {
    const { solo, call, muxId } = opened();
    solo.receive(Op.AckMux, muxId);
    solo.receive(Op.MuxServerMsg, muxId, { seq: 1, flags: EOF });
    solo.receive(Op.DisconnectClientMux, muxId);
    expect(call.output.end).toEqual({ error: undefined });
    // it follows each end: nothing to count
    expect(solo.drops).toEqual([]);
  });

  it('unread bytes past the cap end the call', () => {
    const solo = new SoloMux({ limits: { unreadBytes: 10 } });
    const call = solo.mux.openStream({ ...init, outCapacity: undefined });
    const { muxId } = solo.take()[0]!;
    solo.receive(Op.AckMux, muxId, { payload: encodeCapacity({ in: 1, out: 1000 }) });
    solo.receive(Op.MuxServerMsg, muxId, { seq: 1, payload: new Uint8Array(10) });
    expect(call.over).toBe(false);
    solo.receive(Op.MuxServerMsg, muxId, { seq: 2, payload: new Uint8Array(1) });
    expect(call.output.end?.error).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringContaining('unreadBytes'),
    });
  });

  it('unread bytes past the cap end the call, too, when they come with its end', () => {
    const solo = new SoloMux({ limits: { unreadBytes: 10 } });
    const call = solo.mux.openStream({ ...init, outCapacity: undefined });
    const { muxId } = solo.take()[0]!;
    solo.receive(Op.AckMux, muxId);
    solo.receive(Op.MuxServerMsg, muxId, { seq: 1, payload: new Uint8Array(10) });
    solo.receive(Op.MuxServerMsg, muxId, { seq: 2, flags: EOF, payload: new Uint8Array(1) });
    expect(call.output.available).toBe(1);
    expect(call.output.end?.error?.code).toBe('RESOURCE_EXHAUSTED');
  });

  it('input that comes with its end is held within heldBytes like any other', () => {
    const calls: HandlerStream[] = [];
    const handlers = { 70: stream((call) => calls.push(call), 1) };
    const solo = new SoloMux({ handlers, limits: { heldBytes: 60 + 256 } });
    for (const muxId of [1, 2]) {
      solo.receive(Op.ConnectMux, muxId, { handler: 70 });
      solo.receive(Op.MuxClientMsg, muxId, { seq: 1, flags: EOF, payload: new Uint8Array(60) });
    }
    expect(calls.map(({ input }) => input.available)).toEqual([1, 0]);
    expect(calls.map(({ aborted }) => aborted?.message)).toEqual([undefined, expect.stringContaining('heldBytes')]);
    solo.disconnect();
  });

  it('many small things that are held do not keep the memory that they came in, a few may', () => {
    const requests: IncomingRequest[] = [];
    const streams: HandlerStream[] = [];
    const handlers = {
      60: { inCapacity: 0, outCapacity: 1, onRequest: (call: IncomingRequest) => void requests.push(call) },
      70: stream((call) => streams.push(call), 100),
    };
    const solo = new SoloMux({ handlers, limits: { runningRequests: 2_000 } });
    const memory = (payload: Uint8Array | undefined): number => payload!.buffer.byteLength;
    const small = () => new Uint8Array(65_536).subarray(0, 1);
    const large = () => new Uint8Array(65_536).subarray(1);
    solo.receive(Op.ConnectMux, 5_000, { handler: 70, payload: small() });
    for (let seq = 1; seq <= 66; seq++) {
      solo.receive(Op.MuxClientMsg, 5_000, { seq, payload: seq < 66 ? small() : large() });
    }
    const items: (Uint8Array | undefined)[] = Array.from({ length: 66 }, () => streams[0]!.input.take());
    expect(items.filter((item) => memory(item) > 1)).toHaveLength(65);
    expect(memory(items[64])).toBe(1);
    expect(items[65]).toEqual(large());
    for (let id = 1; id <= 1_100; id++) solo.receive(Op.Request, id, { handler: 60, payload: small() });
    expect(requests.filter(({ payload }) => memory(payload) > 1)).toHaveLength(1_023);
    solo.receive(Op.ConnectMux, 5_001, { handler: 70, payload: small(), subroute: undefined });
    solo.receive(Op.MuxClientMsg, 5_001, { seq: 1, payload: small() });
    expect([memory(streams[1]!.payload), memory(streams[1]!.input.take())]).toEqual([1, 1]);
    // there is room again once they have ended
    for (const request of requests) request.respond(undefined);
    solo.receive(Op.Request, 6_000, { handler: 60, payload: small() });
    expect(memory(requests.at(-1)!.payload)).toBe(65_536);
    solo.disconnect();
  });

  it('nor do many small items of our own streams that are not read; over or left, they count no more', () => {
    const solo = new SoloMux({ extensions: [] });
    const small = () => new Uint8Array(65_536).subarray(0, 1);
    const open = (): [CallerStream, MuxId] => {
      const stream = solo.mux.openStream({ ...init, outCapacity: 40 });
      return [stream, solo.take().at(-1)!.muxId];
    };
    let seq = 0;
    const item = (muxId: MuxId): void => solo.receive(Op.MuxServerMsg, muxId, { seq: seq++, payload: small() });
    const streams = Array.from({ length: 40 }, () => {
      const [stream, muxId] = open();
      seq = 0;
      solo.receive(Op.AckMux, muxId, { seq: seq++ });
      for (let i = 0; i < 30; i++) item(muxId);
      return { stream, muxId };
    });
    const memories = (of: CallerStream): number[] =>
      Array.from({ length: of.output.available }, () => of.output.take()!.buffer.byteLength);
    // of 1,200 that wait the first 1,024 may
    expect(streams.map(({ stream }) => memories(stream)).flat().filter((bytes) => bytes > 1)).toHaveLength(1_024);
    const shares = (): boolean => {
      const [stream, muxId] = open();
      solo.receive(Op.AckMux, muxId);
      solo.receive(Op.MuxServerMsg, muxId, { seq: 1, payload: small() });
      return stream.output.take()!.buffer.byteLength > 1;
    };
    expect(shares()).toBe(true);
    // those of streams that are over, or whose reader has gone
    for (const { muxId } of streams) {
      seq = 31;
      for (let i = 0; i < 30; i++) item(muxId);
    }
    expect(shares()).toBe(false);
    for (const [index, { stream, muxId }] of streams.entries()) {
      if (index % 2 === 0) solo.receive(Op.MuxServerMsg, muxId, { seq: 61, flags: EOF });
      else stream.output.discard();
    }
    expect(shares()).toBe(true);
    expect(memories(streams[0]!.stream)).toHaveLength(30);
    solo.disconnect();
  });

  it('streams that were opened without anything are not many things that are held', () => {
    const requests: IncomingRequest[] = [];
    const handlers = {
      60: { inCapacity: 0, outCapacity: 1, onRequest: (call: IncomingRequest) => void requests.push(call) },
      70: stream(() => {}),
    };
    const solo = new SoloMux({ handlers, limits: { openStreams: 2_000 } });
    for (let id = 1; id <= 2_000; id++) solo.receive(Op.ConnectMux, id, { handler: 70, flags: EOF });
    const payload = new Uint8Array(65_536).subarray(0, 1);
    solo.receive(Op.Request, 3_000, { handler: 60, payload });
    expect(requests[0]!.payload).toBe(payload);
    solo.disconnect();
  });

  it('metadata is held within heldBytes to the byte, 64 more for each entry, until its handler ends', () => {
    const calls: HandlerStream[] = [];
    const limits = { heldBytes: 10 + 2 * 64 };
    const solo = new SoloMux({ handlers: { 70: stream((call) => calls.push(call)) }, limits });
    const open = (muxId: number, metadataBytes: number): void => {
      const metadata = { a: '12', b: '34' };
      solo.receive(Op.ConnectMux, muxId, { handler: 70, flags: EOF, metadata, metadataBytes });
    };
    for (const round of [0, 10]) {
      open(round + 1, 11);
      expect(brief(solo.take())).toEqual(['MuxConnectError#0']);
      open(round + 2, 10);
      expect(brief(solo.take())).toEqual(['AckMux#0']);
      solo.receive(Op.ConnectMux, round + 3, { handler: 70, flags: EOF, payload: new Uint8Array(1) });
      expect(brief(solo.take())).toEqual(['MuxConnectError#0']);
      calls.at(-1)!.output.end();
      solo.take();
    }
    expect(calls).toHaveLength(2);
  });

  it('input counts 256 bytes for each message that waits, over all streams', () => {
    const calls: HandlerStream[] = [];
    const limits = { heldBytes: 10 * 256 };
    const solo = new SoloMux({ handlers: { 70: stream((call) => calls.push(call), 8) }, limits });
    for (const muxId of [1, 2]) {
      solo.receive(Op.ConnectMux, muxId, { handler: 70 });
      for (let seq = 1; seq <= 5; seq++) solo.receive(Op.MuxClientMsg, muxId, { seq, payload: new Uint8Array(0) });
    }
    expect(calls.map(({ aborted }) => aborted)).toEqual([undefined, undefined]);
    calls[0]!.input.take();
    for (const [muxId, seq] of [[2, 6], [1, 6]] as const) {
      solo.receive(Op.MuxClientMsg, muxId, { seq, payload: new Uint8Array(0) });
    }
    expect(calls.map(({ aborted }) => aborted?.message)).toEqual([expect.stringContaining('heldBytes'), undefined]);
    for (const call of calls) call.output.fail(new GridError('CANCELLED', 'enough'));
    // all of it is let go
    solo.receive(Op.ConnectMux, 3, { handler: 70, flags: EOF, payload: new Uint8Array(10 * 256) });
    expect(calls[2]?.payload).toHaveLength(10 * 256);
    solo.disconnect();
  });

  it('unread messages without a byte count too, whatever capacity the peer announces', () => {
    const solo = new SoloMux({ limits: { unreadBytes: 256_000 } });
    const call = solo.mux.openStream({ ...init, outCapacity: undefined });
    const { muxId } = solo.take()[0]!;
    solo.receive(Op.AckMux, muxId, { payload: encodeCapacity({ in: 0, out: 0xffffffff }) });
    for (let seq = 1; seq <= 1_000; seq++) solo.receive(Op.MuxServerMsg, muxId, { seq, payload: new Uint8Array(0) });
    expect(call.over).toBe(false);
    for (let seq = 1_001; seq <= 1_002; seq++) solo.receive(Op.MuxServerMsg, muxId, { seq });
    expect(call.output.end?.error).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringContaining('unreadBytes'),
    });
  });

  it('unread messages past the cap end the call where no capacity is known', () => {
    const solo = new SoloMux({ limits: { unreadMessages: 3 }, extensions: [] });
    const call = solo.mux.openStream({ ...init, outCapacity: undefined });
    const { muxId } = solo.take()[0]!;
    solo.receive(Op.AckMux, muxId);
    for (let seq = 1; seq <= 4; seq++) solo.receive(Op.MuxServerMsg, muxId, { seq, payload: bytes('x') });
    expect(call.output.end?.error?.code).toBe('RESOURCE_EXHAUSTED');
    expect(call.output.available).toBe(3);
  });

  it('a capacity that does not parse ends the connection', () => {
    const { solo, muxId } = opened();
    solo.receive(Op.AckMux, muxId, { payload: bytes('garbage') });
    expect(solo.aborted).toMatchObject({ closeCode: 1002 });
  });

  it('an odd op for a stream is counted and ignored', () => {
    const { solo, call, muxId } = opened();
    solo.receive(Op.Response, muxId, { flags: EOF });
    expect(call.over).toBe(false);
    expect(solo.drops).toEqual(['odd-op']);
    solo.disconnect();
  });
});
