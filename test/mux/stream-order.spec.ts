import { afterEach, describe, expect, it } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import type { HandlerStream, Inbound } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Op, type Message } from '../../lib/wire/index.js';
import { seeded } from '../random.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { muxPair, type MuxPair, type MuxPairOptions } from './mux-pair.js';
import { bytes, text } from './solo-mux.js';
import { init, numbers, pump, readAll, stream, type Read } from './streams.js';

const SIZES = [1, 10, 100, 1_000];
const HANG_MS = volume(60_000, 600_000);

let pair: MuxPair;
let clock: ManualClock;
function open(options: MuxPairOptions): MuxPair {
  clock = new ManualClock();
  return (pair = muxPair({ clock, ...options }));
}
afterEach(async () => {
  await pair.settle();
  expect([pair.a.outgoing, pair.a.incoming, pair.b.outgoing, pair.b.incoming]).toEqual([0, 0, 0, 0]);
  expect([pair.a.running + pair.b.running, clock.timers]).toEqual([0, 0]);
});

/** Takes a few at a time and lets the loop turn in between, until the end. */
async function readSlowly(inbound: Inbound, random: () => number): Promise<Read> {
  const read: Read = { items: [], end: undefined };
  while (!read.end) {
    const few = 1 + Math.floor(random() * 300);
    for (let i = 0; i < few; i++) {
      const item = inbound.take();
      if (item) read.items.push(text(item)!);
      // what a credit causes comes in a microtask
      else if (i > 0 && inbound.end === undefined) await Promise.resolve();
      else break;
    }
    if (inbound.available === 0) read.end = inbound.end;
    if (!read.end) await turn();
  }
  return read;
}

describe('B16 a handler that returns at once', () => {
  const rounds = volume(32, 625);

  it(`loses no item, at any capacity and pace of the consumer: ${rounds * SIZES.length ** 2} times`, async () => {
    const random = seeded(16);
    const handlersB = Object.fromEntries(
      SIZES.flatMap((count) => {
        const items = numbers(count);
        return SIZES.map((capacity) => [count + capacity * 7, stream((call) => pump(call, items), 0, capacity)]);
      }),
    );
    open({ handlersB });
    for (let round = 0; round < rounds; round++) {
      for (const count of SIZES) {
        for (const capacity of SIZES) {
          const call = pair.a.openStream(init(count + capacity * 7));
          const read = await readSlowly(call.output, random);
          expect(read).toEqual({ items: numbers(count), end: { error: undefined } });
          pair.aToB.delivered.length = pair.bToA.delivered.length = 0;
        }
      }
    }
  }, HANG_MS);
});

describe('H12 a handler that fails after as many items as the capacity', () => {
  const rounds = volume(500, 10_000);

  it(`is read to the last of them, then the error: ${rounds} times`, async () => {
    const random = seeded(12);
    const gone = new GridError('ABORTED', 'disk gone');
    const capacities = [1, 2, 5, 16];
    const handlersB = Object.fromEntries(
      capacities.map((capacity) => [60 + capacity, stream((call) => pump(call, numbers(capacity), gone), 0, capacity)]),
    );
    open({ handlersB });
    for (let round = 0; round < rounds; round++) {
      const capacity = capacities[round % capacities.length]!;
      const call = pair.a.openStream(init(60 + capacity));
      // sometimes all is there before anything is read, sometimes nothing is
      if (random() < 0.5) await turn();
      const read = await readSlowly(call.output, random);
      expect(read.items).toEqual(numbers(capacity));
      expect(read.end?.error).toMatchObject({ code: 'ABORTED', message: 'disk gone', remote: true });
      pair.aToB.delivered.length = pair.bToA.delivered.length = 0;
    }
  }, HANG_MS);

  it('with the end in the buffer before anything was read', async () => {
    open({ handlersB: { 66: stream((call) => pump(call, ['a', 'b'], new GridError('ABORTED', 'gone')), 0, 4) } });
    const call = pair.a.openStream(init(66));
    await pair.settle();
    expect(call.over).toBe(true);
    expect(readAll(call.output)).toMatchObject({ items: ['a', 'b'], end: { error: { code: 'ABORTED' } } });
  });
});

describe('B22 the numbers of a call', () => {
  /** Those that came since the last look are 1, 2, 3… after those before. */
  function countOn(next: number, messages: readonly Message[], counted: readonly number[]): number {
    // expect() for each of a million messages takes minutes
    for (const { op, seq } of messages) {
      if (counted.includes(op) && seq !== next++) throw new Error(`op ${op} has number ${seq} in place of ${next - 1}`);
    }
    return next;
  }

  it(`go up one by one each way, acks, data, credits and pings: ${volume(5_000, 100_000)} each way`, async () => {
    const count = volume(5_000, 100_000);
    const echo = (call: HandlerStream) => {
      const go = () => {
        while (call.output.ready && call.input.available > 0) call.output.send(call.input.take()!);
        if (call.input.end && call.input.available === 0) call.output.end();
      };
      call.input.onReady = call.output.onReady = go;
    };
    open({ handlersB: { 65: stream(echo, 1, 1) }, intervals: { streamPingMs: 1 } });
    const call = pair.a.openStream(init(65, { input: true }));
    const read = readAll(call.output);
    let sent = 0;
    let toB = 0;
    let toA = 0;
    let pings = 0;
    const look = (): void => {
      pings += pair.aToB.delivered.filter(({ op }) => op === Op.Ping).length;
      toB = countOn(toB, pair.aToB.delivered, [Op.ConnectMux, Op.MuxClientMsg, Op.UnblockSrvMux, Op.Ping]);
      toA = countOn(toA, pair.bToA.delivered, [Op.AckMux, Op.MuxServerMsg, Op.UnblockClMux]);
      pair.aToB.delivered.length = pair.bToA.delivered.length = 0;
    };
    call.input.onReady = () => {
      if (!call.input.ready || sent === count) return;
      call.input.send(bytes(String(sent++)));
      clock.advance(1);
      if (sent % 1_000 === 0) look();
      if (sent === count) call.input.end();
    };
    await pair.settle();
    look();
    expect(read.end).toEqual({ error: undefined });
    expect(read.items).toEqual(numbers(count));
    expect(pings).toBeGreaterThan(count / 10);
  }, HANG_MS);
});
