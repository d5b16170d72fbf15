import { describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { Gate } from '../../lib/calls/gate.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

describe('the gate of a handler with a concurrency', () => {
  it('lets any number of calls that end at once follow one another', () => {
    const gate = new Gate(1, Infinity);
    const started: number[] = [];
    gate.enter(() => {});
    for (let call = 0; call < 50_000; call++) {
      gate.enter(() => {
        started.push(call);
        gate.leave();
      });
    }
    gate.leave();
    expect(started).toEqual(Array.from({ length: 50_000 }, (_, call) => call));
  });

  it('one that comes while the others are let in stands behind them, and the place of each is free in the end', () => {
    const gate = new Gate(1, 2);
    const order: string[] = [];
    gate.enter(() => order.push('a'));
    gate.enter(() => {
      order.push('b');
      gate.leave();
      gate.enter(() => {
        order.push('d');
        gate.leave();
      });
    });
    gate.enter(() => {
      order.push('c');
      gate.leave();
    });
    expect(gate.full).toBe(true);
    gate.leave();
    expect(order).toEqual(['a', 'b', 'c', 'd']);
    gate.enter(() => order.push('e'));
    expect([order.at(-1), gate.full]).toEqual(['e', false]);
  });
});

describe('a generator that is broken off', () => {
  it.each([
    ['a request, by a second value', [1, 2], (line) => line.caller.request(60), 'FAILED_PRECONDITION'],
    ['a request, by openStreams', [1, 2], (line) => lastValueFrom(line.caller.send(60)), 'RESOURCE_EXHAUSTED'],
    ['one that goes on as a stream, by its first value', [3n, 2], (line) => lastValueFrom(line.caller.send(60)), 'INTERNAL'],
    ['a stream, by a value that cannot be sent', [1, 3n], (line) => collect(line.caller.stream(60)), 'INTERNAL'],
    ['a stream, by one too large', [1, 'x'.repeat(2_000)], (line) => collect(line.caller.stream(60)), 'OUT_OF_RANGE'],
  ] satisfies [string, unknown[], (line: GridLine) => Promise<unknown>, string][])(
    '%s: its caller hears of it at once, its place is free when its cleanup is done',
    async (what, values, call, code) => {
      const limits = { messageBytes: 1_000, openStreams: what.includes('openStreams') ? 1 : 10 };
      const line = gridLine({ limits });
      const cleaned = [signalled(), signalled()];
      let now = 0;
      let ran = 0;
      line.handle(61, () => new Promise(() => {}), { kind: 'stream' });
      const other = line.caller.stream(61);
      const run = async function* (): AsyncGenerator {
        const { promise } = cleaned[ran++]!;
        now++;
        try {
          yield* values;
        } finally {
          await promise;
          now--;
        }
      };
      line.handle(60, run, { concurrency: 1, queue: 1 });
      expect((await failure(call(line))).code).toBe(code);
      const next = failure(call(line));
      await line.pair.settle();
      expect([ran, now, line.pair.b.running]).toEqual([1, 1, 3]);
      cleaned[0]!.resolve();
      expect((await next).code).toBe(code);
      expect([ran, now]).toEqual([2, 1]);
      cleaned[1]!.resolve();
      await line.pair.settle();
      expect([now, line.pair.b.running]).toEqual([0, 1]);
      other.cancel();
      line.pair.cut();
      expect(line.clock.timers).toBe(0);
    },
  );
});
