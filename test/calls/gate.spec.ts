import { describe, expect, it, jest } from '@jest/globals';
import { lastValueFrom, Observable } from 'rxjs';
import type { CallContext } from '../../lib/calls/index.js';
import { Gate } from '../../lib/calls/gate.js';
import type { GridError } from '../../lib/errors/index.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

describe('the gate of a handler with a concurrency', () => {
  it('lets any number of calls that end at once follow one another', async () => {
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
    await Promise.resolve();
    expect(started).toEqual(Array.from({ length: 50_000 }, (_, call) => call));
  });

  it('one that comes while others are let in stands behind them, the place of each is free in the end', async () => {
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
    await Promise.resolve();
    expect(order).toEqual(['a', 'b', 'c', 'd']);
    gate.enter(() => order.push('e'));
    expect([order.at(-1), gate.full]).toEqual(['e', false]);
  });

  it('counts a place that was given up and not yet taken: no more come than may, and in their order', async () => {
    const gate = new Gate(1, 2);
    const order: string[] = [];
    gate.enter(() => order.push('a'));
    gate.enter(() => order.push('b'));
    gate.enter(() => order.push('c'));
    gate.leave();
    // as if b ran by now: one seat is free
    expect(gate.full).toBe(false);
    gate.enter(() => order.push('d'));
    expect([gate.full, order]).toEqual([true, ['a']]);
    await Promise.resolve();
    expect([gate.full, order]).toEqual([true, ['a', 'b']]);
    for (const expected of ['c', 'd']) {
      gate.leave();
      await Promise.resolve();
      expect(order.at(-1)).toBe(expected);
    }
  });

  it('a place that was given up is free at once when those that waited have gone meanwhile', async () => {
    const gate = new Gate(1, 1);
    const order: string[] = [];
    gate.enter(() => order.push('a'));
    const giveUp = gate.enter(() => order.push('b'));
    gate.leave();
    expect([giveUp(), giveUp()]).toEqual([true, false]);
    gate.enter(() => order.push('c'));
    await Promise.resolve();
    expect(order).toEqual(['a', 'c']);
  });
});

describe('calls that wait for their turn', () => {
  const WAITING = 50;
  const kinds: [string, (line: GridLine, options?: object) => Promise<unknown>][] = [
    ['requests', (line, options) => line.caller.request(60, undefined, options)],
    ['streams', (line, options) => collect(line.caller.stream(60, undefined, options))],
  ];
  /** How they end, all in one turn. */
  const ends: [string, string, object, (line: GridLine, controller: AbortController) => void][] = [
    ['the connection is lost', 'UNAVAILABLE', {}, (line) => line.pair.cut()],
    ['their deadline passes', 'DEADLINE_EXCEEDED', { timeoutMs: 100 }, (line) => line.clock.advance(101)],
    ['their caller cancels', 'CANCELLED', {}, (_line, controller) => controller.abort()],
  ];

  it.each(ends.flatMap(([how, ...rest]) => kinds.map(([kind, call]) => [kind, how, call, ...rest] as const)))(
    '%s: none starts because %s',
    async (_kind, _how, call, code, options, end) => {
      const line = gridLine();
      const controller = new AbortController();
      let started = 0;
      line.handle(60, () => new Observable(() => void started++), { concurrency: 1, queue: WAITING });
      const failed: Promise<GridError>[] = [];
      for (let i = 0; i <= WAITING; i++) failed.push(failure(call(line, { ...options, signal: controller.signal })));
      await line.pair.settle();
      expect([started, line.pair.b.running]).toEqual([1, WAITING + 1]);
      end(line, controller);
      const codes = (await Promise.all(failed)).map((error) => error.code);
      expect(new Set(codes)).toEqual(new Set([code]));
      await line.pair.settle();
      expect([started, line.pair.b.running]).toEqual([1, 0]);
    },
  );

  it.each(kinds)('%s: one whose time is over when its turn comes does not start', async (_kind, call) => {
    const line = gridLine();
    const first = signalled();
    let started = 0;
    line.handle(60, () => (++started === 1 ? first.promise : undefined), { concurrency: 1, queue: 2 });
    const calls = [call(line), failure(call(line, { timeoutMs: 5 })), call(line)];
    await line.pair.settle();
    // time has passed and no timer has fired yet
    const late = jest.spyOn(line.clock, 'now').mockReturnValue(5);
    first.resolve();
    await Promise.all([calls[0], calls[2]]);
    expect(started).toBe(2);
    late.mockRestore();
    line.clock.advance(5);
    expect(await calls[1]).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await line.pair.settle();
    expect([line.pair.a.outgoing, line.pair.b.incoming, line.pair.b.running]).toEqual([0, 0, 0]);
    line.pair.cut();
    expect(line.clock.timers).toBe(0);
  });
});

const request = (line: GridLine): Promise<unknown> => line.caller.request(60);
const send = (line: GridLine): Promise<unknown> => lastValueFrom(line.caller.send(60));
const stream = (line: GridLine): Promise<unknown> => collect(line.caller.stream(60));
/** More than `messageBytes`. */
const LARGE = 'x'.repeat(2_000);
/** In place of a value: the Observable that gave the generator fails. */
const FAIL = Symbol('fail');

describe('a generator that is broken off', () => {
  it.each([
    ['a request, by a second value', [1, 2], request, 'FAILED_PRECONDITION'],
    ['a request, by openStreams', [1, 2], send, 'RESOURCE_EXHAUSTED', 1],
    ['a request that becomes a stream, by its first value', [3n, 2], send, 'INTERNAL'],
    ['a request that becomes a stream, by its second value', [1, 3n], send, 'INTERNAL'],
    ['a request that becomes a stream, by one that is too large', [LARGE, 2], send, 'OUT_OF_RANGE'],
    ['a stream, by a value that cannot be sent', [1, 3n], stream, 'INTERNAL'],
    ['a stream, by one that is too large', [1, LARGE], stream, 'OUT_OF_RANGE'],
    ['a request, by the Observable around it', [1, FAIL], request, 'INTERNAL'],
    ['a request that becomes a stream, by the Observable around it', [1, 2, FAIL], send, 'INTERNAL'],
    ['a stream, by the Observable around it', [1, 2, FAIL], stream, 'INTERNAL'],
  ] satisfies [string, unknown[], (line: GridLine) => Promise<unknown>, string, openStreams?: number][])(
    '%s: its caller hears of it at once, its place is free when its cleanup is done',
    async (_, values: readonly unknown[], call, code, openStreams = 10) => {
      const line = gridLine({ limits: { messageBytes: 1_000, openStreams } });
      const cleaned = [signalled(), signalled()];
      let now = 0;
      let ran = 0;
      line.handle(61, () => new Promise(() => {}), { kind: 'stream' });
      const other = line.caller.stream(61);
      const generator = async function* (fail: () => void): AsyncGenerator {
        const { promise } = cleaned[ran++]!;
        now++;
        try {
          for (const value of values) {
            if (value === FAIL) fail();
            yield value;
          }
        } finally {
          await promise;
          now--;
        }
      };
      const run = (): unknown =>
        values.includes(FAIL)
          ? new Observable((subscriber) => subscriber.next(generator(() => subscriber.error(new Error('secret')))))
          : generator(() => {});
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

  type Generate = (beforeItFails: () => void) => AsyncGenerator;
  type Run = (generate: Generate, line: GridLine) => unknown;
  it.each<[string, boolean, number, Run, (line: GridLine) => Promise<unknown>]>([
    [
      'a credit',
      true,
      // the first value uses it, and nobody takes that one
      1,
      (generate) =>
        new Observable((subscriber) => {
          subscriber.next(generate(() => {}));
          setImmediate(() => subscriber.error(new Error('secret')));
        }),
      (line) => line.caller.stream(60).done,
    ],
    // behind a value that was good
    ['the connection', false, 2, (generate, line) => generate(() => (line.pair.bToA.congested = true)), send],
  ])(
    'while its error waits for %s (told: %s): aborted once the connection is lost, its place free after its cleanup',
    async (_, told, outCapacity, run, call) => {
      const line = gridLine();
      const cleaned = signalled();
      const broken = signalled();
      let signal: AbortSignal | undefined;
      const generate: Generate = async function* (beforeItFails) {
        try {
          yield 1;
          beforeItFails();
          yield 3n;
        } finally {
          broken.resolve();
          await cleaned.promise;
        }
      };
      const handler = (_payload: unknown, context: CallContext): unknown => {
        ({ signal } = context);
        return run(generate, line);
      };
      line.handle(60, handler, { outCapacity });
      const failed = failure(call(line));
      await broken.promise;
      await line.pair.settle();
      expect([signal?.aborted, line.pair.b.running, line.pair.b.incoming]).toEqual([told, 1, 1]);
      line.pair.cut();
      expect((await failed).code).toBe('UNAVAILABLE');
      expect([signal?.aborted, line.pair.b.running]).toEqual([true, 1]);
      cleaned.resolve();
      await line.pair.settle();
      expect([line.pair.b.running, line.pair.b.incoming, line.clock.timers]).toEqual([0, 0, 0]);
    },
  );
});
