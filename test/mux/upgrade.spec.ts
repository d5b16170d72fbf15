import { afterEach, describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import type { CallerStream, HandlerStream, IncomingRequest } from '../../lib/mux/index.js';
import { silentCalls, silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Flag, Op } from '../../lib/wire/index.js';
import { muxPair, type MuxPair } from './mux-pair.js';
import { brief, bytes, SoloMux, text } from './solo-mux.js';

class Answer {
  responses: (string | undefined)[] = [];
  errors: GridError[] = [];
  streams: CallerStream[] = [];
  onResponse = (payload: Uint8Array | undefined) => void this.responses.push(text(payload));
  onError = (error: GridError) => void this.errors.push(error);
  onStream = (stream: CallerStream) => void this.streams.push(stream);
}

const init = (timeoutMs?: number) => ({ handler: 60, subroute: undefined, payload: bytes('x'), timeoutMs });

describe('a request that also takes a stream (spec §11, upgrade)', () => {
  let pair: MuxPair;
  const clock = new ManualClock();
  let request: IncomingRequest;
  const holding = { onRequest: (call: IncomingRequest) => void (request = call), inCapacity: 3, outCapacity: 2 };
  afterEach(async () => {
    await pair.settle();
    expect([pair.a.outgoing, pair.b.incoming, pair.b.running, clock.timers]).toEqual([0, 0, 0, 0]);
  });

  it('a single answer is a Response', async () => {
    pair = muxPair({ clock, handlersB: { 60: holding } });
    const answer = new Answer();
    pair.a.openRequest(init(), answer);
    await pair.settle();
    expect(request.many).toBe(true);
    expect(request.deadlineAt).toBeUndefined();
    expect(pair.aToB.delivered).toMatchObject([{ deadlineMs: 0, flags: Flag.Crc | Flag.Eof | Flag.Many }]);
    request.respond(bytes('one'));
    await pair.settle();
    expect(answer.responses).toEqual(['one']);
  });

  it('goes on as a stream: ack 0, items 1, 2, …; the credits of the caller start at 1', async () => {
    pair = muxPair({ clock, handlersB: { 60: holding } });
    const answer = new Answer();
    pair.a.openRequest(init(), answer);
    await pair.settle();
    const stream = request.upgrade();
    stream.output.send(bytes('a'));
    stream.output.send(bytes('b'));
    expect(stream.output.ready).toBe(false);
    stream.output.end();
    await pair.settle();
    const [call] = answer.streams;
    expect(call!.input.closed).toBe('ended');
    expect(text(call!.output.take())).toBe('a');
    expect(text(call!.output.take())).toBe('b');
    await pair.settle();
    expect(call!.output.end).toEqual({ error: undefined });
    expect(brief(pair.aToB.delivered).slice(0, 3)).toEqual(['Request#0', 'UnblockSrvMux#1', 'UnblockSrvMux#2']);
    expect(brief(pair.bToA.delivered).slice(0, 3)).toEqual(['AckMux#0', 'MuxServerMsg#1', 'MuxServerMsg#2']);
  });

  it('goes on as a stream when a thousand younger calls have come and gone', async () => {
    const echo = { onRequest: (call: IncomingRequest) => call.respond(call.payload), inCapacity: 0, outCapacity: 1 };
    pair = muxPair({ clock, handlersB: { 60: holding, 61: echo } });
    const answer = new Answer();
    pair.a.openRequest(init(), answer);
    await pair.settle();
    const younger = new Answer();
    for (let call = 0; call < 1_000; call++) pair.a.openRequest({ ...init(), handler: 61 }, younger);
    await pair.settle();
    expect([younger.responses.length, pair.a.outgoing, pair.b.incoming]).toEqual([1_000, 1, 1]);
    const stream = request.upgrade();
    stream.output.send(bytes('a'));
    stream.output.end();
    await pair.settle();
    const [call] = answer.streams;
    expect(text(call!.output.take())).toBe('a');
    expect(call!.output.end).toEqual({ error: undefined });
  });

  it('a deadline counts from the arrival of the request and bounds the stream too', async () => {
    pair = muxPair({ clock, handlersB: { 60: holding } });
    const answer = new Answer();
    pair.a.openRequest(init(100), answer);
    await pair.settle();
    clock.advance(60);
    const stream = request.upgrade();
    await pair.settle();
    clock.advance(40);
    await pair.settle();
    expect(stream.aborted?.code).toBe('DEADLINE_EXCEEDED');
    expect(answer.streams[0]!.output.end?.error?.code).toBe('DEADLINE_EXCEEDED');
    stream.output.end();
  });

  it('a deadline counts on at the caller, too, whatever the handler does', () => {
    pair = muxPair({ clock });
    const solo = new SoloMux();
    const answer = new Answer();
    const muxIds = [1, 2].map(() => {
      solo.mux.openRequest(init(100), answer);
      return solo.take()[0]!.muxId;
    });
    solo.clock.advance(60);
    solo.receive(Op.AckMux, muxIds[0]!);
    solo.clock.advance(39);
    expect([answer.streams[0]!.over, answer.errors]).toEqual([false, []]);
    // late, and before the timer that would say so
    solo.clock.setTimer(0.5, () => solo.receive(Op.AckMux, muxIds[1]!));
    solo.clock.oversleep(2);
    expect(answer.streams.map(({ output }) => output.end?.error?.code)).toEqual(Array(2).fill('DEADLINE_EXCEEDED'));
    expect([answer.errors, solo.mux.outgoing, solo.clock.timers]).toEqual([[], 0, 0]);
  });

  it('without a deadline the first answer has 60 s, the stream none', async () => {
    pair = muxPair({ clock, handlersB: { 60: holding } });
    const answer = new Answer();
    pair.a.openRequest(init(), answer);
    pair.a.openRequest(init(), answer);
    const requests: IncomingRequest[] = [];
    await pair.settle();
    requests.push(request);
    expect(requests[0]!.many).toBe(true);
    const aborts: unknown[] = [];
    request.onAbort = (error) => aborts.push(error.code);
    clock.advance(60_000);
    expect(answer.errors.map((error) => error.code)).toEqual(['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED']);
    expect(aborts).toEqual(['DEADLINE_EXCEEDED']);
    request.respond(undefined);
    await pair.settle();
    // the first of the two was never looked at again by this test's handler: the link's end frees it
    pair.cut();
    expect(pair.b.running).toBe(1);
    pair = muxPair({ clock });
  });

  it('without a deadline the caller hears of the 60 s: it need not have a clock', async () => {
    pair = muxPair({ clock });
    const solo = new SoloMux({ extensions: ['capacity', 'cancel', 'upgrade'], handlers: { 60: holding } });
    const asked = { handler: 60, flags: Flag.Crc | Flag.Eof | Flag.Many, payload: bytes('x') };
    solo.receive(Op.Request, 1, asked);
    request.onAbort = () => {};
    const watched = request;
    solo.receive(Op.Request, 2, asked);
    solo.clock.advance(59_999);
    // late, and before the timer that would say so
    solo.clock.setTimer(0.5, () => request.respond(bytes('late')));
    solo.clock.oversleep(2);
    watched.respond(bytes('late'));
    const late = { op: Op.Response, flags: Flag.Crc | Flag.Eof | Flag.PayloadIsErr };
    expect(solo.sent).toMatchObject([{ ...late, muxId: 2 }, { ...late, muxId: 1 }]);
    expect(solo.sent.map(({ payload }) => text(payload))).toEqual(Array(2).fill('context deadline exceeded'));
  });

  it('nor need its handler ask when it is over: one that never answers is answered for', () => {
    pair = muxPair({ clock });
    const solo = new SoloMux({ extensions: ['capacity', 'cancel', 'upgrade'], handlers: { 60: holding } });
    const asked = { handler: 60, flags: Flag.Crc | Flag.Eof | Flag.Many, payload: bytes('x') };
    solo.receive(Op.Request, 1, asked);
    solo.clock.advance(59_999);
    expect(solo.sent).toEqual([]);
    solo.clock.advance(1);
    expect(solo.sent).toMatchObject([{ op: Op.Response, muxId: 1, flags: Flag.Crc | Flag.Eof | Flag.PayloadIsErr }]);
    expect([solo.mux.incoming, solo.mux.running, solo.ended]).toEqual([0, 1, ['DEADLINE_EXCEEDED']]);
    request.respond(bytes('late'));
    solo.receive(Op.Request, 2, asked);
    request.respond(bytes('in time'));
    expect([solo.sent.length, solo.mux.running, solo.clock.timers]).toEqual([2, 0, 0]);
  });

  it('past openStreams it cannot go on as a stream, and is still to be answered', async () => {
    pair = muxPair({ clock, handlersB: { 60: holding }, limits: { openStreams: 1 } });
    const answer = new Answer();
    pair.a.openRequest(init(), answer);
    await pair.settle();
    const first = request.upgrade();
    pair.a.openRequest(init(), answer);
    await pair.settle();
    expect(() => request.upgrade()).toThrow('the limit openStreams is 1');
    request.fail(new GridError('RESOURCE_EXHAUSTED', 'busy'));
    await pair.settle();
    expect(answer.errors).toMatchObject([{ code: 'RESOURCE_EXHAUSTED', message: 'busy' }]);
    first.output.end();
    await pair.settle();
    expect(answer.streams[0]!.output.end).toEqual({ error: undefined });
  });

  it('a handler that is a stream only answers a MANY with a stream', async () => {
    let stream: HandlerStream | undefined;
    pair = muxPair({
      clock,
      handlersB: { 60: { onStream: (call) => void (stream = call), inCapacity: 5, outCapacity: 1 } },
    });
    const answer = new Answer();
    pair.a.openRequest(init(), answer);
    await pair.settle();
    expect(answer.streams).toHaveLength(1);
    expect([text(stream!.payload), stream!.input.end]).toEqual(['x', { error: undefined }]);
    stream!.output.end();
    await pair.settle();
    expect(answer.streams[0]!.output.end).toEqual({ error: undefined });
  });

  it('cancel before the ack: the ack that crossed it is answered with DisconnectServerMux', async () => {
    pair = muxPair({ clock, handlersB: { 60: holding } });
    const answer = new Answer();
    const call = pair.a.openRequest(init(), answer);
    await pair.settle();
    pair.aToB.hold();
    call.cancel(new GridError('CANCELLED', 'context canceled'));
    const stream = request.upgrade();
    pair.aToB.release();
    await pair.settle();
    expect(stream.aborted?.code).toBe('CANCELLED');
    expect(answer.errors).toMatchObject([{ code: 'CANCELLED' }]);
    expect(answer.streams).toEqual([]);
    expect(brief(pair.aToB.delivered)).toEqual(['Request#0', 'DisconnectServerMux#0', 'DisconnectServerMux#0']);
    stream.output.end();
  });

  it('is refused once the call is over, which ended once', async () => {
    const ends: unknown[] = [];
    const callsOf = (_: unknown, kind: string) => ({
      ...silentCalls,
      ended: (code: unknown) => void ends.push([kind, code]),
    });
    const observerB = { ...silentObserver, callsOf };
    pair = muxPair({ clock, handlersB: { 60: holding }, observerB });
    const call = pair.a.openRequest(init(), new Answer());
    await pair.settle();
    call.cancel(new GridError('CANCELLED', 'context canceled'));
    await pair.settle();
    expect(request.aborted?.code).toBe('CANCELLED');
    expect(() => request.upgrade()).toThrow('cannot become a stream');
    expect([ends, pair.b.running]).toEqual([[['request', 'CANCELLED']], 1]);
    request.respond(undefined);
    expect([ends.length, pair.b.running]).toEqual([1, 0]);
  });

  it('towards a peer without the extension it is a plain request', async () => {
    pair = muxPair({ clock, handlersB: { 60: holding }, extensions: ['capacity', 'cancel'] });
    const answer = new Answer();
    pair.a.openRequest(init(), answer);
    await pair.settle();
    expect(pair.aToB.delivered).toMatchObject([{ deadlineMs: 60_000, flags: Flag.Crc | Flag.Eof }]);
    expect(() => request.upgrade()).toThrow('cannot become a stream');
    request.respond(undefined);
  });

  it('an AckMux for a plain request cancels at the handler side and leaves the request open', () => {
    pair = muxPair({ clock });
    const solo = new SoloMux();
    const answer = new Answer();
    solo.mux.openRequest(init(), { onResponse: answer.onResponse, onError: answer.onError });
    const [request] = solo.take();
    solo.receive(Op.AckMux, request!.muxId);
    expect(brief(solo.take())).toEqual(['DisconnectServerMux#0']);
    solo.receive(Op.Response, request!.muxId, { flags: Flag.Crc | Flag.Eof, payload: bytes('y') });
    expect(answer.responses).toEqual(['y']);
  });

  it.each(['request', 'stream'] as const)('an empty payload arrives as none at a handler that is a %s', (kind) => {
    pair = muxPair({ clock });
    const calls: (IncomingRequest | HandlerStream)[] = [];
    const take = (call: IncomingRequest | HandlerStream): void => void calls.push(call);
    const handler = kind === 'request' ? { onRequest: take } : { onStream: take };
    const solo = new SoloMux({ handlers: { 60: { ...handler, inCapacity: 0, outCapacity: 1 } } });
    const flags = Flag.Crc | Flag.Eof | Flag.Many | Flag.PayloadIsZero;
    solo.receive(Op.Request, 7, { handler: 60, flags, payload: new Uint8Array(0), metadata: { k: 'v' } });
    expect(calls).toMatchObject([{ payload: undefined, metadata: { k: 'v' } }]);
    solo.disconnect();
  });
});
