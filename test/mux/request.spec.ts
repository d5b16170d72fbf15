import { afterEach, describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import { PeerLoad, type IncomingRequest, type RequestListener } from '../../lib/mux/index.js';
import { silentCalls, silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { decodeMuxConnectError, encodeMuxConnectError, Flag, Op } from '../../lib/wire/index.js';
import { muxPair, type MuxPair, type MuxPairOptions } from './mux-pair.js';
import { brief, bytes, SoloMux, text } from './solo-mux.js';

type Outcome = { payload: string | undefined } | { error: GridError };

function listen(outcomes: Outcome[]): RequestListener {
  return {
    onResponse: (payload) => outcomes.push({ payload: text(payload) }),
    onError: (error) => outcomes.push({ error }),
  };
}

const init = (handler: number, payload?: string, timeoutMs?: number) => ({
  handler,
  subroute: undefined,
  payload: payload === undefined ? undefined : bytes(payload),
  timeoutMs,
});

const echo = { onRequest: (call: IncomingRequest) => call.respond(call.payload), inCapacity: 0, outCapacity: 1 };

describe('single requests between two muxes', () => {
  let pair: MuxPair;
  let clock: ManualClock;
  const open = (options: MuxPairOptions): MuxPair => {
    clock = new ManualClock();
    pair = muxPair({ clock, ...options });
    return pair;
  };
  afterEach(async () => {
    await pair.settle();
    expect([pair.a.outgoing, pair.a.incoming, pair.b.outgoing, pair.b.incoming]).toEqual([0, 0, 0, 0]);
    expect(pair.a.running + pair.b.running).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('P01 answers with what the handler gave, both ways', async () => {
    open({ handlersA: { 60: echo }, handlersB: { 60: echo } });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60, 'from a'), listen(outcomes));
    pair.b.openRequest(init(60, 'from b'), listen(outcomes));
    await pair.settle();
    expect(outcomes.sort()).toEqual([{ payload: 'from a' }, { payload: 'from b' }]);
  });

  it('P02 an error answer is the text, remote, UNKNOWN, and not notSent', async () => {
    const fail = {
      ...echo,
      onRequest: (call: IncomingRequest) => call.fail(new GridError('ABORTED', text(call.payload) ?? '')),
    };
    open({ handlersB: { 61: fail }, extensions: [] });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(61, 'disk gone: ü'), listen(outcomes));
    await pair.settle();
    expect(outcomes[0]).toMatchObject({
      error: { code: 'UNKNOWN', message: 'disk gone: ü', remote: true, notSent: false },
    });
  });

  it('tells an empty answer from none', async () => {
    const empty = { ...echo, onRequest: (call: IncomingRequest) => call.respond(new Uint8Array(0)) };
    const none = { ...echo, onRequest: (call: IncomingRequest) => call.respond(undefined) };
    open({ handlersB: { 70: empty, 71: none } });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(70), listen(outcomes));
    pair.a.openRequest(init(71), listen(outcomes));
    await pair.settle();
    expect(outcomes).toEqual([{ payload: '' }, { payload: undefined }]);
  });

  it('P05 an unknown handler, and an unknown subroute, are refused at once by the peer', async () => {
    open({ handlersA: { 60: echo }, handlersB: {} });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60), listen(outcomes));
    const subroute = new Uint8Array(32).fill(0xab);
    pair.a.openRequest({ ...init(60), subroute }, listen(outcomes));
    // of streams too it is the peer that is asked, not the table of the caller
    const stream = pair.a.openStream({ ...init(60), input: false, inCapacity: undefined, outCapacity: undefined });
    await pair.settle();
    const refused = { code: 'UNIMPLEMENTED', message: 'Invalid Handler for type: 60', remote: true, notSent: true };
    expect(outcomes).toMatchObject([
      { error: refused },
      { error: { code: 'UNIMPLEMENTED', message: `Invalid Handler for type: ${'ab'.repeat(32)}` } },
    ]);
    expect(stream.output.end?.error).toMatchObject(refused);
  });

  it('B31 a handler that throws fails its call; the next one works', async () => {
    const bad = {
      ...echo,
      onRequest: () => {
        throw new Error('boom');
      },
    };
    open({ handlersB: { 60: bad, 61: echo } });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60), listen(outcomes));
    pair.a.openRequest(init(61, 'x'), listen(outcomes));
    await pair.settle();
    expect(outcomes).toMatchObject([{ error: { message: 'boom', remote: true } }, { payload: 'x' }]);
  });

  it('B13 a request without a deadline ends after 60 s, by the clock of the caller', async () => {
    const held: IncomingRequest[] = [];
    open({ handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } } });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60), listen(outcomes));
    await pair.settle();
    expect(held[0]?.deadlineAt).toBe(60_000);
    clock.advance(59_999);
    expect(outcomes).toEqual([]);
    clock.advance(1);
    expect(outcomes).toMatchObject([{ error: { code: 'DEADLINE_EXCEEDED', remote: false, notSent: false } }]);
    held[0]?.respond(undefined);
  });

  it('H6 the deadline ends a request at the caller, aborts its handler, and drops the late result', async () => {
    const held: IncomingRequest[] = [];
    open({ handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } }, extensions: [] });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60, 'x', 100), listen(outcomes));
    await pair.settle();
    const call = held[0]!;
    const aborts: GridError[] = [];
    call.onAbort = (error) => aborts.push(error);
    clock.advance(99);
    expect([outcomes, aborts]).toEqual([[], []]);
    clock.advance(2);
    expect(outcomes).toMatchObject([{ error: { code: 'DEADLINE_EXCEEDED', remote: false } }]);
    expect(aborts).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }]);
    expect(call.aborted?.code).toBe('DEADLINE_EXCEEDED');
    call.respond(bytes('late'));
    await pair.settle();
    expect(outcomes).toHaveLength(1);
    expect(pair.bToA.delivered).toEqual([]);
  });

  it('H6 the deadline ends a request whose caller knows no cancel, whatever its handler does', async () => {
    const held: IncomingRequest[] = [];
    open({ handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } }, extensions: [] });
    pair.a.openRequest(init(60, 'x', 100), listen([]));
    await pair.settle();
    clock.advance(99);
    expect([pair.b.incoming, pair.b.running]).toEqual([1, 1]);
    clock.advance(1);
    expect([pair.b.incoming, pair.b.running, clock.timers]).toEqual([0, 1, 0]);
    held[0]!.respond(bytes('late'));
    await pair.settle();
    expect([pair.b.running, pair.bToA.delivered]).toEqual([0, []]);
  });

  it('a result or an error past the deadline is dropped, and its call counts as ended by that', async () => {
    const ends: (string | undefined)[] = [];
    const drops: string[] = [];
    const observerB = {
      ...silentObserver,
      dropped: (what: string) => void drops.push(what),
      callsOf: () => ({ ...silentCalls, ended: (code: string | undefined) => void ends.push(code) }),
    };
    const held: IncomingRequest[] = [];
    open({ handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } }, observerB });
    for (let calls = 0; calls < 2; calls++) pair.a.openRequest(init(60, 'x', 100), listen([]));
    await pair.settle();
    // the word of the caller that its time is over is under way
    pair.aToB.hold();
    clock.advance(101);
    held[0]!.respond(bytes('late'));
    held[1]!.fail(new GridError('ABORTED', 'late'));
    await pair.settle();
    expect([ends, drops]).toEqual([Array(2).fill('DEADLINE_EXCEEDED'), Array(2).fill('late-result')]);
    expect(pair.bToA.delivered).toEqual([]);
    pair.aToB.release();
  });

  it('cancel reaches the handler where both ends have the extension, and the answer is dropped', async () => {
    const held: IncomingRequest[] = [];
    open({ handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } } });
    const outcomes: Outcome[] = [];
    const request = pair.a.openRequest(init(60), listen(outcomes));
    await pair.settle();
    const aborts: GridError[] = [];
    held[0]!.onAbort = (error) => aborts.push(error);
    request.cancel(new GridError('CANCELLED', 'changed my mind'));
    request.cancel(new GridError('CANCELLED', 'twice'));
    await pair.settle();
    expect(outcomes).toMatchObject([{ error: { code: 'CANCELLED', message: 'changed my mind', notSent: false } }]);
    expect(aborts).toMatchObject([{ code: 'CANCELLED' }]);
    expect(pair.b.incoming).toBe(0);
    expect(pair.b.running).toBe(1);
    held[0]!.respond(bytes('too late'));
    expect(pair.b.running).toBe(0);
    expect(pair.bToA.delivered).toEqual([]);
  });

  it('cancel towards a peer without the extension stays at the caller', async () => {
    const held: IncomingRequest[] = [];
    open({ handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } }, extensions: [] });
    const outcomes: Outcome[] = [];
    const request = pair.a.openRequest(init(60), listen(outcomes));
    await pair.settle();
    request.cancel(new GridError('CANCELLED', 'context canceled'));
    await pair.settle();
    expect(held[0]!.aborted).toBeUndefined();
    held[0]!.respond(bytes('late'));
    await pair.settle();
    expect(outcomes).toHaveLength(1);
    expect(brief(pair.aToB.delivered)).toEqual(['Request#0']);
  });

  it('a call cancelled before it was written is withdrawn and says notSent', async () => {
    open({ handlersB: { 60: echo } });
    pair.aToB.hold();
    const outcomes: Outcome[] = [];
    const request = pair.a.openRequest(init(60), listen(outcomes));
    request.cancel(new GridError('CANCELLED', 'context canceled'));
    pair.aToB.release();
    await pair.settle();
    expect(outcomes).toMatchObject([{ error: { code: 'CANCELLED', notSent: true } }]);
    expect(pair.aToB.delivered).toEqual([]);
  });

  it('P30 a lost connection ends every call at once; notSent only where nothing was written', async () => {
    const held: IncomingRequest[] = [];
    open({ handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } } });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60, 'sent'), listen(outcomes));
    await pair.settle();
    pair.aToB.hold();
    pair.a.openRequest(init(60, 'not sent'), listen(outcomes));
    const aborts: GridError[] = [];
    held[0]!.onAbort = (error) => aborts.push(error);
    pair.cut();
    expect(outcomes).toMatchObject([
      { error: { code: 'UNAVAILABLE', reason: 'disconnected', message: 'remote disconnected', notSent: false } },
      { error: { code: 'UNAVAILABLE', reason: 'disconnected', notSent: true } },
    ]);
    expect(aborts).toHaveLength(1);
    held[0]!.respond(undefined);
    expect(() => pair.a.openRequest(init(60), listen(outcomes))).toThrow('remote disconnected');
  });

  it('refuses locally what cannot be sent, with notSent and nothing on the wire', () => {
    open({ handlersB: { 60: echo }, limits: { messageBytes: 10 } });
    const outcomes: Outcome[] = [];
    const attempt = (timeoutMs: number | undefined, payload: string) => {
      try {
        pair.a.openRequest(init(60, payload, timeoutMs), listen(outcomes));
        return undefined;
      } catch (error) {
        return error;
      }
    };
    expect(attempt(undefined, '12345678901')).toMatchObject({ code: 'OUT_OF_RANGE', notSent: true });
    expect(attempt(0.5, 'x')).toMatchObject({ code: 'DEADLINE_EXCEEDED', notSent: true });
    pair.aToB.congested = true;
    expect(attempt(undefined, 'x')).toMatchObject({ code: 'RESOURCE_EXHAUSTED', notSent: true });
    pair.aToB.congested = false;
    expect(pair.aToB.delivered).toEqual([]);
  });

  it('an answer over the cap becomes an error answer', async () => {
    const large = { ...echo, onRequest: (call: IncomingRequest) => call.respond(new Uint8Array(2000)) };
    open({ handlersB: { 60: large }, limits: { messageBytes: 1000 } });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60), listen(outcomes));
    await pair.settle();
    expect(outcomes).toMatchObject([{ error: { message: expect.stringContaining('2000 bytes'), remote: true } }]);
  });

  it('an answer for which there is no room any more fails alone, and tells that its handler may have run', async () => {
    open({ handlersB: { 60: echo } });
    const outcomes: Outcome[] = [];
    pair.bToA.room = 4;
    for (const payload of ['four', 'fives', '']) pair.a.openRequest(init(60, payload), listen(outcomes));
    await pair.settle();
    expect(outcomes).toMatchObject([
      { payload: 'four' },
      { error: { code: 'RESOURCE_EXHAUSTED', remote: true, notSent: false } },
      { payload: undefined },
    ]);
    expect((outcomes[1] as { error: GridError }).error.message).toContain('limits.queuedBytes');
  });

  it('no payload is so large that it would fill the queue by itself', async () => {
    open({ handlersB: { 60: echo }, limits: { messageBytes: 1_000, queuedBytes: 40 } });
    const outcomes: Outcome[] = [];
    pair.a.openRequest(init(60, 'x'.repeat(30)), listen(outcomes));
    expect(() => pair.a.openRequest(init(60, 'x'.repeat(31)), listen(outcomes))).toThrow(
      'a payload of 31 bytes is over the 30 bytes that limits.queuedBytes allows',
    );
    await pair.settle();
    expect(outcomes).toEqual([{ payload: 'x'.repeat(30) }]);
  });

  it('past runningRequests calls are refused, counted until the handler really ended', async () => {
    const held: IncomingRequest[] = [];
    open({
      handlersB: { 60: { ...echo, onRequest: (call: IncomingRequest) => held.push(call) } },
      limits: { runningRequests: 2 },
    });
    const outcomes: Outcome[] = [];
    const first = pair.a.openRequest(init(60), listen(outcomes));
    pair.a.openRequest(init(60), listen(outcomes));
    await pair.settle();
    first.cancel(new GridError('CANCELLED', 'context canceled'));
    pair.a.openRequest(init(60), listen(outcomes));
    await pair.settle();
    expect(outcomes).toMatchObject([
      { error: { code: 'CANCELLED' } },
      { error: { message: 'too many calls: the limit runningRequests is 2', remote: true, notSent: true } },
    ]);
    for (const call of held) call.respond(undefined);
    await pair.settle();
    pair.a.openRequest(init(60), listen(outcomes));
    await pair.settle();
    expect(held).toHaveLength(3);
    held[2]!.respond(undefined);
  });

  it('2,000 requests at once come back each with its own answer', async () => {
    open({ handlersB: { 60: echo } });
    const answers = new Map<number, string | undefined>();
    for (let i = 0; i < 2000; i++) {
      pair.a.openRequest(init(60, `call ${i}`), {
        onResponse: (payload) => answers.set(i, text(payload)),
        onError: (error) => answers.set(i, String(error)),
      });
    }
    await pair.settle();
    expect([...answers].every(([i, answer]) => answer === `call ${i}`)).toBe(true);
    expect(answers.size).toBe(2000);
  });
});

describe('a mux whose peer writes the messages', () => {
  it('opens a request with seq 0, EOF, the deadline, and no flag for an empty payload', () => {
    const solo = new SoloMux();
    solo.mux.openRequest(init(60, 'hello'), listen([]));
    solo.mux.openRequest(init(60, undefined, 1500.2), listen([]));
    expect(solo.take()).toMatchObject([
      { op: Op.Request, seq: 0, handler: 60, deadlineMs: 60_000, flags: Flag.Crc | Flag.Eof },
      { op: Op.Request, seq: 0, deadlineMs: 1501, flags: Flag.Crc | Flag.Eof },
    ]);
    solo.disconnect();
  });

  it('ids never are 0, in use, or beyond 2^53-1', () => {
    const solo = new SoloMux();
    solo.mux.openRequest(init(60), listen([]));
    solo.mux.openRequest(init(60), listen([]));
    const [first, second] = solo.take();
    expect(second!.muxId).toBe(Number(first!.muxId) + 1);
    expect(first!.muxId).toBeGreaterThan(0);
    solo.disconnect();
  });

  it('a late answer and an answer for a call never made are dropped and counted', () => {
    const solo = new SoloMux();
    solo.receive(Op.Response, 999, { flags: Flag.Crc | Flag.Eof, payload: bytes('x') });
    expect(solo.take()).toEqual([]);
    expect(solo.drops).toEqual(['late-answer']);
  });

  it('DisconnectClientMux for a request is ignored', () => {
    const solo = new SoloMux();
    const outcomes: Outcome[] = [];
    solo.mux.openRequest(init(60), listen(outcomes));
    const [request] = solo.take();
    solo.receive(Op.DisconnectClientMux, request!.muxId);
    expect(outcomes).toEqual([]);
    solo.receive(Op.Response, request!.muxId, { flags: Flag.Crc | Flag.Eof, payload: bytes('yes') });
    expect(outcomes).toEqual([{ payload: 'yes' }]);
  });

  it('a refusal echoes muxId, seq, deadlineMs, handler and EOF of the refused message', () => {
    const solo = new SoloMux({ extensions: [] });
    const muxId = 2n ** 64n - 1n;
    solo.receive(Op.Request, muxId, { seq: 0, deadlineMs: 1234, handler: 59, flags: Flag.Crc | Flag.Eof });
    const [refusal] = solo.take();
    expect(refusal).toMatchObject({
      op: Op.MuxConnectError,
      muxId,
      seq: 0,
      deadlineMs: 1234,
      handler: 59,
      flags: Flag.Crc | Flag.Eof,
    });
    expect(decodeMuxConnectError(refusal!.payload)).toBe('Invalid Handler for type: 59');
  });

  it('a plain request for a stream is refused with the advice to call stream()', () => {
    const solo = new SoloMux({ handlers: { 63: { onStream: () => {}, inCapacity: 0, outCapacity: 1 } } });
    solo.receive(Op.Request, 5, { handler: 63, flags: Flag.Crc | Flag.Eof });
    expect(decodeMuxConnectError(solo.take()[0]!.payload)).toBe('streams: call stream()');
  });

  it.each([
    ['draining', 'UNAVAILABLE', 'draining'],
    ['Invalid Handler', 'UNIMPLEMENTED', undefined],
    ['anything else', 'FAILED_PRECONDITION', undefined],
  ])('maps the refusal "%s" of a peer to %s', (message, code, reason) => {
    const solo = new SoloMux();
    const outcomes: Outcome[] = [];
    solo.mux.openRequest(init(60), listen(outcomes));
    solo.receive(Op.MuxConnectError, solo.take()[0]!.muxId, { payload: encodeMuxConnectError(message) });
    expect(outcomes).toMatchObject([{ error: { code, message, reason, notSent: true, remote: true } }]);
  });

  it.each([
    ['muxId 0', Op.Request, 0],
    ['Connect inside a call', Op.Connect, 7],
    ['Merged inside a call', Op.Merged, 7],
  ])('ends the connection with 1002 on %s', (_name, op, muxId) => {
    const solo = new SoloMux({ handlers: { 60: echo } });
    solo.receive(op, muxId, { handler: 60 });
    expect(solo.aborted).toMatchObject({ closeCode: 1002, error: { reason: 'protocol' } });
  });

  it('ends the connection on an opening message whose muxId is in use', () => {
    const held: IncomingRequest[] = [];
    const solo = new SoloMux({ handlers: { 60: { ...echo, onRequest: (call) => held.push(call) } } });
    solo.receive(Op.Request, 7, { handler: 60 });
    solo.receive(Op.Request, 7, { handler: 60 });
    expect(solo.aborted).toMatchObject({ closeCode: 1002, error: { message: 'muxId 7 is in use' } });
    expect(held[0]!.aborted).toBeDefined();
    held[0]!.respond(undefined);
    expect(solo.mux.running).toBe(0);
  });

  it('past cancelsPerSecond of calls just opened the connection ends with 1008', () => {
    const held: IncomingRequest[] = [];
    const solo = new SoloMux({
      handlers: { 60: { ...echo, onRequest: (call) => held.push(call) } },
      limits: { cancelsPerSecond: 10 },
    });
    const openAndCancel = (muxId: number) => {
      solo.receive(Op.Request, muxId, { handler: 60 });
      solo.receive(Op.DisconnectServerMux, muxId);
    };
    for (let i = 1; i <= 10; i++) openAndCancel(i);
    solo.clock.advance(1000);
    for (let i = 11; i <= 20; i++) openAndCancel(i);
    expect(solo.aborted).toBeUndefined();
    openAndCancel(21);
    expect(solo.aborted).toMatchObject({ closeCode: 1008, error: { code: 'RESOURCE_EXHAUSTED' } });
    for (const call of held) call.respond(undefined);
  });

  it('cancels at the deadlines of calls do not count: their handlers hung for a moment', () => {
    const held: IncomingRequest[] = [];
    const solo = new SoloMux({
      handlers: { 60: { ...echo, onRequest: (call) => held.push(call) } },
      limits: { cancelsPerSecond: 10 },
    });
    for (let muxId = 1; muxId <= 100; muxId++) solo.receive(Op.Request, muxId, { handler: 60, deadlineMs: 400 });
    solo.clock.advance(200);
    for (let muxId = 1; muxId <= 100; muxId++) solo.receive(Op.DisconnectServerMux, muxId);
    expect([solo.aborted, held.filter((call) => call.aborted).length]).toEqual([undefined, 100]);
    for (const call of held) call.respond(undefined);
  });

  it('cancels of calls that were opened a second ago do not count, however many', () => {
    const held: IncomingRequest[] = [];
    const solo = new SoloMux({
      handlers: { 60: { ...echo, onRequest: (call) => held.push(call) } },
      limits: { cancelsPerSecond: 10 },
    });
    for (let muxId = 1; muxId <= 100; muxId++) solo.receive(Op.Request, muxId, { handler: 60 });
    solo.clock.advance(999);
    for (let muxId = 1; muxId <= 10; muxId++) solo.receive(Op.DisconnectServerMux, muxId);
    solo.clock.advance(1);
    for (let muxId = 11; muxId <= 100; muxId++) solo.receive(Op.DisconnectServerMux, muxId);
    expect([solo.aborted, held.filter((call) => call.aborted).length]).toEqual([undefined, 100]);
    for (const call of held) call.respond(undefined);
  });

  it('an error where much waits is its code and the start of its text: all calls may fail at once', () => {
    const error = new GridError('NOT_FOUND', 'x'.repeat(3_000), { details: { long: 'y'.repeat(3_000) } });
    const solo = new SoloMux({
      handlers: {
        60: { ...echo, onRequest: (call) => call.fail(error, { own: 'z'.repeat(3_000) }) },
        63: { ...echo, onStream: (call) => call.output.fail(error) },
      },
    });
    solo.room = 8_192 + 4_095;
    solo.receive(Op.Request, 7, { handler: 60 });
    solo.receive(Op.ConnectMux, 8, { handler: 63, flags: Flag.Crc | Flag.Eof });
    const errors = solo.take().filter(({ flags }) => flags & Flag.PayloadIsErr);
    expect(errors.map(({ payload }) => text(payload))).toEqual(Array(2).fill('x'.repeat(128)));
    for (const { metadata } of errors) {
      expect(Object.keys(metadata!)).toEqual(['grid-error']);
      expect(JSON.parse(metadata!['grid-error']!)).toEqual({ code: 'NOT_FOUND', message: 'x'.repeat(128) });
    }
  });

  it('metadata for which there is no room fails its one answer, or the end of its stream', () => {
    const metadata = { own: 'z'.repeat(3_000) };
    const solo = new SoloMux({
      handlers: {
        60: { ...echo, onRequest: (call) => call.respond(bytes('x'), metadata) },
        63: { ...echo, onStream: (call) => call.output.end(metadata) },
      },
    });
    solo.room = 3_000;
    solo.receive(Op.Request, 7, { handler: 60 });
    solo.receive(Op.ConnectMux, 8, { handler: 63, flags: Flag.Crc | Flag.Eof });
    expect(solo.ended).toEqual(['RESOURCE_EXHAUSTED', 'RESOURCE_EXHAUSTED']);
    const errors = solo.take().filter(({ flags }) => flags & Flag.PayloadIsErr);
    expect(errors.map(({ metadata: told }) => JSON.parse(told!['grid-error']!) as object)).toMatchObject(
      Array(2).fill({ code: 'RESOURCE_EXHAUSTED' }),
    );
  });

  it('what details are made of may send something of the call: its number comes before that of the end', () => {
    const solo = new SoloMux({
      handlers: {
        63: {
          ...echo,
          inCapacity: 1,
          onStream: (call) => {
            const details = { toJSON: () => text(call.input.take()) };
            call.input.onReady = () => call.output.fail(new GridError('NOT_FOUND', 'no', { details }));
          },
        },
      },
    });
    solo.receive(Op.ConnectMux, 8, { handler: 63 });
    solo.receive(Op.MuxClientMsg, 8, { seq: 1, payload: bytes('x') });
    expect(brief(solo.take())).toEqual(['AckMux#0', 'UnblockClMux#1', 'MuxServerMsg#2', 'DisconnectClientMux#0']);
  });

  it('what details are made of may end the connection: the stream ends once, and is counted once', () => {
    const load = new PeerLoad(1_000);
    const solo = new SoloMux({
      load,
      handlers: {
        63: {
          ...echo,
          onStream: (call) => {
            const details = { toJSON: () => solo.mux.close(new GridError('UNAVAILABLE', 'closed')) };
            call.output.fail(new GridError('NOT_FOUND', 'no', { details }));
          },
        },
      },
    });
    solo.receive(Op.ConnectMux, 8, { handler: 63, payload: bytes('x') });
    expect([solo.ended, solo.mux.incoming, load.running, load.streams]).toEqual([['UNAVAILABLE'], 0, 0, 0]);
    expect([load.held.refusal(1_000), load.held.refusal(1_001)?.code]).toEqual([undefined, 'RESOURCE_EXHAUSTED']);
  });

  it('an error text is cut at a character, and to errorTextBytes', () => {
    const solo = new SoloMux({
      handlers: { 60: { ...echo, onRequest: (call) => call.fail(new GridError('UNKNOWN', 'ü'.repeat(100))) } },
      limits: { errorTextBytes: 21 },
    });
    solo.receive(Op.Request, 7, { handler: 60 });
    expect(text(solo.take()[0]!.payload)).toBe('ü'.repeat(10));
  });

  it('an error text is no longer than the peer accepts', () => {
    const solo = new SoloMux({
      extensions: [],
      peerMaxBytes: 65_536,
      handlers: { 60: { ...echo, onRequest: (call) => call.fail(new GridError('UNKNOWN', 'x'.repeat(100_000))) } },
      limits: { errorTextBytes: 80_000 },
    });
    solo.receive(Op.Request, 7, { handler: 60 });
    expect(solo.take()[0]!.payload!.length).toBe(65_536 - 67);
  });

  it("a payload over the peer's Max fails its call alone", () => {
    const solo = new SoloMux({
      extensions: [],
      peerMaxBytes: 65_536,
      handlers: { 60: { ...echo, onRequest: (c) => c.respond(new Uint8Array(65_536)) } },
    });
    expect(() => solo.mux.openRequest({ ...init(60), payload: new Uint8Array(65_536) }, listen([]))).toThrow(
      "the peer's Max",
    );
    solo.receive(Op.Request, 7, { handler: 60 });
    expect(solo.take()).toMatchObject([{ op: Op.Response, flags: Flag.Crc | Flag.Eof | Flag.PayloadIsErr }]);
  });
});
