import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { GridError, TEXT } from '../../lib/errors/index.js';
import type { CallerStream, HandlerStream } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Op } from '../../lib/wire/index.js';
import { muxPair, type MuxPair } from './mux-pair.js';
import { brief, bytes } from './solo-mux.js';
import { init, readAll, stream } from './streams.js';

const INTERVALS = { streamPingMs: 100, streamSilenceMs: 400 };

let pair: MuxPair;
let clock: ManualClock;
let call: CallerStream;
let handler: HandlerStream;

/** A running stream: at the caller `call`, at the other end `handler`. */
async function running(kind: 'one way' | 'two ways', intervals: object = INTERVALS, timeoutMs?: number): Promise<void> {
  clock = new ManualClock();
  const inCapacity = kind === 'two ways' ? 1 : 0;
  pair = muxPair({ clock, handlersB: { 67: stream((opened) => (handler = opened), inCapacity) }, intervals });
  call = pair.a.openStream(init(67, { input: kind === 'two ways', ...(timeoutMs !== undefined && { timeoutMs }) }));
  await pair.settle();
}

afterEach(async () => {
  if (handler.output.closed !== 'ended') handler.output.end();
  await pair.settle();
  expect([pair.a.outgoing, pair.a.incoming, pair.b.outgoing, pair.b.incoming]).toEqual([0, 0, 0, 0]);
  expect([pair.a.running + pair.b.running, clock.timers]).toEqual([0, 0]);
});

/** Time goes on in steps of 10 ms, in each of which all that may be sent is sent. */
async function pass(ms: number, blocked: { input?: boolean; output?: boolean } = {}): Promise<void> {
  for (let step = 0; step < ms / 10; step++) {
    while (blocked.input && call.input.ready) call.input.send(bytes('x'));
    while (blocked.output && handler.output.ready) handler.output.send(bytes('x'));
    clock.advance(10);
    await pair.settle();
  }
}

const pings = (): number => pair.aToB.delivered.filter(({ op }) => op === Op.Ping).length;

describe('B12 a stream that moves nothing', () => {
  it.each([
    ['P22', 'two ways', 'idle', {}],
    ['P23', 'two ways', 'its input blocked', { input: true }],
    ['P24', 'two ways', 'its output blocked', { output: true }],
    ['P25', 'two ways', 'both blocked', { input: true, output: true }],
    ['P26', 'one way', 'idle', {}],
    ['P26', 'one way', 'its output blocked', { output: true }],
  ] as const)('%s %s, %s: lives for 1 s of pings each 100 ms, a cancel ends it', async (_id, kind, _how, blocked) => {
    await running(kind);
    await pass(1_000, blocked);
    expect([call.over, handler.aborted]).toEqual([false, undefined]);
    expect(pings()).toBeGreaterThanOrEqual(9);
    if ('input' in blocked) expect([call.input.ready, handler.input.available]).toEqual([false, 1]);
    if ('output' in blocked) expect([handler.output.ready, call.output.available]).toEqual([false, 1]);
    call.cancel(new GridError('CANCELLED', TEXT.cancelled));
    await pair.settle();
    expect(handler.aborted?.code).toBe('CANCELLED');
    const read = readAll(call.output);
    expect(read).toMatchObject({ items: 'output' in blocked ? ['x'] : [], end: { error: { code: 'CANCELLED' } } });
  });

  it.each([
    ['P20', 'one way', 'idle', {}],
    ['P20', 'one way', 'its output blocked', { output: true }],
    ['P21', 'two ways', 'idle', {}],
    ['P21', 'two ways', 'its input blocked', { input: true }],
    ['P21', 'two ways', 'both blocked', { input: true, output: true }],
  ] as const)(
    '%s %s, %s: without pongs ends after two intervals, and the handler is told',
    async (_id, kind, _how, blocked) => {
      await running(kind);
      await pass(150, blocked);
      pair.bToA.hold();
      await pass(190, blocked);
      expect([call.over, handler.aborted]).toEqual([false, undefined]);
      await pass(160, blocked);
      expect(handler.aborted?.code).toBe('CANCELLED');
      expect(readAll(call.output).end?.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
      pair.bToA.release();
      await pair.settle();
      expect(readAll(call.output).end?.error).toMatchObject({ code: 'UNAVAILABLE' });
    },
  );

  it.each([
    ['P20', 'one way', 'idle', {}],
    ['P20', 'one way', 'its output blocked', { output: true }],
    ['P21', 'two ways', 'idle', {}],
    ['P21', 'two ways', 'both blocked', { input: true, output: true }],
  ] as const)(
    '%s reversed, %s, %s: a handler whose caller fell silent ends after four intervals',
    async (_id, kind, _how, blocked) => {
      await running(kind);
      await pass(150, blocked);
      pair.aToB.hold();
      // the last ping came at 100 ms
      clock.advance(349);
      await pair.settle();
      expect(handler.aborted).toBeUndefined();
      clock.advance(1);
      expect(handler.aborted).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
      pair.aToB.release();
      await pair.settle();
      expect(call.over).toBe(true);
    },
  );
});

describe('the time of a stream', () => {
  const opens: [string, () => unknown][] = [
    ['opened as one', () => pair.a.openStream(init(67))],
    ['that a request becomes', () => pair.a.openRequest(init(67), { onResponse() {}, onError() {}, onStream() {} })],
  ];

  it.each(opens)('%s runs while its handler is started', async (_, open) => {
    clock = new ManualClock();
    const slow = stream((opened) => {
      handler = opened;
      clock.advance(90);
    });
    pair = muxPair({ clock, handlersB: { 67: slow }, intervals: INTERVALS });
    open();
    await pair.settle();
    pair.aToB.hold();
    clock.advance(INTERVALS.streamSilenceMs - 90 - 1);
    expect(handler.aborted).toBeUndefined();
    clock.advance(1);
    expect(handler.aborted).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    pair.aToB.release();
  });

  it.each(opens)('%s is not watched where its handler has ended by its start', async (_, open) => {
    clock = new ManualClock();
    const setTimer = jest.spyOn(clock, 'setTimer');
    const quick = stream((opened) => {
      handler = opened;
      handler.output.end();
    });
    pair = muxPair({ clock, handlersB: { 67: quick }, intervals: { ...INTERVALS, streamSilenceMs: 4 * 77 } });
    open();
    await pair.settle();
    // a quarter of that time: the round in which silent callers are looked for
    expect(setTimer.mock.calls.map(([delayMs]) => delayMs)).not.toContain(77);
  });

  it('B13 has no end by itself: a handler that works for 90 s without a word succeeds', async () => {
    await running('one way', {});
    for (let second = 0; second < 90; second++) {
      clock.advance(1_000);
      await pair.settle();
    }
    handler.output.send(bytes('done'));
    handler.output.end();
    const read = readAll(call.output);
    await pair.settle();
    expect(read).toEqual({ items: ['done'], end: { error: undefined } });
    expect(pings()).toBe(6);
  });

  it('when it has a deadline of more than one interval, it is pinged after each', async () => {
    await running('one way', {}, 30_001);
    for (let second = 0; second < 30; second++) {
      clock.advance(1_000);
      await pair.settle();
    }
    expect(pings()).toBe(2);
    clock.advance(1);
    await pair.settle();
    expect([call.output.end?.error?.code, handler.aborted?.code]).toEqual(['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED']);
  });

  it('when it has a deadline of at most one interval, it is not pinged', async () => {
    await running('one way', {}, 15_000);
    clock.advance(15_000);
    await pair.settle();
    expect(brief(pair.aToB.delivered)).toEqual(['ConnectMux#0', 'DisconnectServerMux#0']);
  });
});
