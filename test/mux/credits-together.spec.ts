// Credits of a large capacity go back together, and those of a stream that ends before never do.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CREDIT_DELAY_MS } from '../../lib/mux/inbound.js';
import type { CallerStream, HandlerStream } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { EXTENSIONS, Op } from '../../lib/wire/index.js';
import { muxPair, type MuxPair, type MuxPairOptions } from './mux-pair.js';
import { bytes } from './solo-mux.js';
import { init, numbers, pump, readAll, stream } from './streams.js';

describe('credits that go back together', () => {
  let clock: ManualClock;
  let pair: MuxPair;
  let handler: HandlerStream | undefined;

  const open = async (capacity: number, options: MuxPairOptions = {}): Promise<CallerStream> => {
    const both = stream((call) => (handler = call), capacity, capacity);
    pair = muxPair({ clock, handlersB: { 60: both }, ...options });
    const call = pair.a.openStream(init(60, { input: true, inCapacity: capacity }));
    await pair.settle();
    return call;
  };
  const creditsOf = (op: Op): number =>
    (op === Op.UnblockSrvMux ? pair.aToB : pair.bToA).delivered.filter((message) => message.op === op).length;
  const sendOutput = async (count: number): Promise<void> => {
    for (const item of numbers(count)) handler!.output.send(bytes(item));
    await pair.settle();
  };

  beforeEach(() => {
    clock = new ManualClock();
    handler = undefined;
  });
  afterEach(async () => {
    pair.cut();
    handler?.output.end();
    await pair.settle();
    expect([pair.a.outgoing, pair.b.running, clock.timers]).toEqual([0, 0, 0]);
  });

  it('output: at half of the capacity', async () => {
    const call = await open(32);
    await sendOutput(32);
    for (let taken = 0; taken < 15; taken++) call.output.take();
    await pair.settle();
    expect([creditsOf(Op.UnblockSrvMux), handler!.output.credits]).toEqual([0, 0]);
    call.output.take();
    await pair.settle();
    expect([creditsOf(Op.UnblockSrvMux), handler!.output.credits]).toEqual([16, 16]);
  });

  it('output: fewer than that a moment later, all of them', async () => {
    const call = await open(64);
    await sendOutput(5);
    while (call.output.take());
    clock.advance(CREDIT_DELAY_MS - 1);
    await pair.settle();
    expect(creditsOf(Op.UnblockSrvMux)).toBe(0);
    clock.advance(1);
    await pair.settle();
    expect([creditsOf(Op.UnblockSrvMux), handler!.output.credits]).toEqual([5, 64]);
  });

  it('output: what is taken while a frame is read gets its timer when that is over', async () => {
    const call = await open(64);
    call.output.onReady = () => void call.output.take();
    const { timers } = clock;
    pair.a.beginFrame(clock.now());
    await sendOutput(5);
    expect(clock.timers).toBe(timers);
    pair.a.endFrame();
    expect(clock.timers).toBe(timers + 1);
    clock.advance(CREDIT_DELAY_MS);
    await pair.settle();
    expect([creditsOf(Op.UnblockSrvMux), handler!.output.credits]).toEqual([5, 64]);
  });

  it('input: the same, by the handler side', async () => {
    const call = await open(32);
    for (const item of numbers(32)) call.input.send(bytes(item));
    await pair.settle();
    for (let taken = 0; taken < 15; taken++) handler!.input.take();
    await pair.settle();
    expect(creditsOf(Op.UnblockClMux)).toBe(0);
    handler!.input.take();
    await pair.settle();
    expect([creditsOf(Op.UnblockClMux), call.input.credits]).toEqual([16, 16]);
    handler!.input.take();
    clock.advance(CREDIT_DELAY_MS);
    await pair.settle();
    expect(call.input.credits).toBe(17);
  });

  it('none of a stream that ends before, and nothing waits for its time', async () => {
    pair = muxPair({ clock, handlersB: { 60: stream((call) => pump(call, numbers(10)), 0, 64) } });
    const { items, end } = await taken(pair.a.openStream(init(60)));
    expect([items.length, end]).toEqual([10, { error: undefined }]);
    expect(creditsOf(Op.UnblockSrvMux)).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('none once the reader has gone', async () => {
    const call = await open(64);
    await sendOutput(5);
    call.output.take();
    call.output.discard();
    clock.advance(CREDIT_DELAY_MS);
    await pair.settle();
    expect(creditsOf(Op.UnblockSrvMux)).toBe(0);
  });

  it.each([
    ['a small capacity', 31, EXTENSIONS],
    ['a peer that does not tell its capacity', 64, []],
  ])('%s: each at once', async (_, capacity, extensions) => {
    const call = await open(capacity, { extensions });
    await sendOutput(3);
    for (let taken = 1; taken <= 3; taken++) {
      call.output.take();
      await pair.settle();
      expect(creditsOf(Op.UnblockSrvMux)).toBe(taken);
    }
  });

  it.each([32, 33, 64, 1000])('capacity %i: a long stream never waits for the time to pass', async (capacity) => {
    pair = muxPair({ clock, handlersB: { 60: stream((call) => pump(call, numbers(5_000)), 0, capacity) } });
    const { items, end } = await taken(pair.a.openStream(init(60)));
    expect(items).toEqual(numbers(5_000));
    expect(end).toEqual({ error: undefined });
  });

  /** All of a stream, while the clock stands still. */
  async function taken(call: CallerStream): Promise<ReturnType<typeof readAll>> {
    const read = readAll(call.output);
    for (let round = 0; round < 1_000 && !read.end; round++) await pair.settle();
    return read;
  }
});
