import { beforeEach, describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import type { CallerStream, CallHandler, HandlerStream } from '../../lib/mux/index.js';
import { silentObserver, type BlockedStream } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { muxPair, type MuxPair } from './mux-pair.js';
import { bytes } from './solo-mux.js';

const EVERY = 30_000;

/** A stream of both directions, 2 in and 3 out, that nobody reads. */
describe('a stream whose both directions are full', () => {
  let clock: ManualClock;
  let told: { a: BlockedStream[]; b: BlockedStream[] };
  let pair: MuxPair;
  let handler: HandlerStream;
  let caller: CallerStream;

  const open = async (input = true, handlers: Partial<CallHandler> = {}): Promise<void> => {
    const onStream = (call: HandlerStream): void => void (handler = call);
    clock = new ManualClock();
    told = { a: [], b: [] };
    pair = muxPair({
      clock,
      handlersB: { 65: { onStream, inCapacity: 2, outCapacity: 3, ...handlers } },
      observerA: { ...silentObserver, streamBlocked: (stream) => told.a.push(stream) },
      observerB: { ...silentObserver, streamBlocked: (stream) => told.b.push(stream) },
    });
    const init = { handler: 65, subroute: undefined, payload: undefined, timeoutMs: undefined };
    caller = pair.a.openStream({ ...init, input, inCapacity: undefined, outCapacity: undefined });
    await pair.settle();
  };
  const fillInput = (): void => {
    while (caller.input.ready) caller.input.send(bytes('in'));
  };
  const fillOutput = (): void => {
    while (handler.output.ready) handler.output.send(bytes('out'));
  };
  /** Lets time pass; the pings that it takes are answered. */
  const pass = async (milliseconds: number): Promise<void> => {
    for (let left = milliseconds; left > 0; left -= 5_000) {
      clock.advance(Math.min(left, 5_000));
      await pair.settle();
    }
  };

  beforeEach(() => open());

  it('is told of once at each end, with what waits at both', async () => {
    fillInput();
    fillOutput();
    await pass(2 * EVERY);
    const facts = { handler: 65, forMs: EVERY };
    expect(told.a).toEqual([{ ...facts, direction: 'outgoing', unreadHere: 3, unreadThere: 2 }]);
    expect(told.b).toEqual([{ ...facts, direction: 'incoming', unreadHere: 2, unreadThere: 3 }]);
    await pass(10 * EVERY);
    expect([told.a.length, told.b.length]).toEqual([1, 1]);
    expect(caller.over).toBe(false);
  });

  it.each([
    ['only the input is full', () => fillInput()],
    ['only the output is full', () => fillOutput()],
    ['one message more could go', () => (fillInput(), handler.output.send(bytes('out')))],
  ])('nothing is told while %s', async (_, fill) => {
    fill();
    await pass(5 * EVERY);
    expect(told).toEqual({ a: [], b: [] });
  });

  it('nothing is told of a stream that moves, however slowly', async () => {
    fillInput();
    fillOutput();
    for (let round = 0; round < 10; round++) {
      await pass(EVERY - 5_000);
      caller.output.take();
      await pair.settle();
      fillOutput();
      await pair.settle();
    }
    expect(told.a).toEqual([]);
  });

  it('nothing is told of a stream that was over, or whose input had ended', async () => {
    fillInput();
    fillOutput();
    caller.cancel(new GridError('CANCELLED', 'enough'));
    await open();
    fillInput();
    fillOutput();
    caller.input.end();
    await pair.settle();
    await pass(5 * EVERY);
    expect(told).toEqual({ a: [], b: [] });
  });

  it('a stream of one direction is not looked at, and none leaves a timer', async () => {
    handler.output.end();
    await pair.settle();
    caller.output.discard();
    expect(clock.timers).toBe(0);
    await open(false);
    const withoutWatch = clock.timers;
    await open(true);
    // each end has one timer for all its streams
    expect(clock.timers).toBe(withoutWatch + 2);
    pair.cut();
    expect(clock.timers).toBe(0);
  });
});
