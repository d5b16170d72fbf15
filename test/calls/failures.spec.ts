import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Observable } from 'rxjs';
import type { CallContext } from '../../lib/calls/index.js';
import { isDisconnected, type GridError } from '../../lib/errors/index.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

/** Failures that real use of this design found, as far as they take values, promises and iterables. */

let line: GridLine;
beforeEach(() => {
  line = gridLine();
});
afterEach(async () => {
  await line.pair.settle();
  const { a, b } = line.pair;
  expect([a.outgoing, b.incoming, b.running, line.clock.timers]).toEqual([0, 0, 0, 0]);
});

const hundred = Array.from({ length: 100 }, (_, i) => i);

describe('a consumer that is blocked', () => {
  it('P15 of a stream with capacity 1 holds up no request; then all 100 items come in order', async () => {
    line.handle(60, (payload) => payload);
    let produced = 0;
    const produce = async function* (): AsyncGenerator<number> {
      for (const item of hundred) {
        produced++;
        yield item;
      }
    };
    line.handle(63, produce, { outCapacity: 1 });
    const reader = line.caller.stream(63)[Symbol.asyncIterator]();
    const first = await reader.next();
    await line.pair.settle();
    const sofar = produced;
    expect(sofar).toBeLessThan(5);
    const answers = await Promise.all(hundred.map((i) => line.caller.request(60, i)));
    expect(answers).toEqual(hundred);
    await line.pair.settle();
    expect(produced).toBe(sofar);
    const items = [first.value];
    for (let next = await reader.next(); !next.done; next = await reader.next()) items.push(next.value);
    expect(items).toEqual(hundred);
  });

  it('B03 P19 in the body of its loop is cancelled: the handler ends at once, the loop throws later', async () => {
    line.handle(60, (payload) => payload);
    const ended = signalled();
    const produce = async function* (): AsyncGenerator<number> {
      try {
        yield* hundred;
      } finally {
        ended.resolve();
      }
    };
    line.handle(63, produce, { outCapacity: 1 });
    const gate = signalled();
    const inside = signalled();
    const call = line.caller.stream(63);
    const got: unknown[] = [];
    const loop = (async () => {
      for await (const item of call) {
        got.push(item);
        inside.resolve();
        await gate.promise;
      }
    })();
    const outcome = failure(loop);
    await inside.promise;
    await line.pair.settle();
    call.cancel();
    await ended.promise;
    await line.pair.settle();
    expect([line.pair.a.outgoing, line.pair.b.incoming, line.pair.b.running]).toEqual([0, 0, 0]);
    expect(await line.caller.request(60, 'others')).toBe('others');
    gate.resolve();
    expect(await outcome).toMatchObject({ code: 'CANCELLED' });
    // what was buffered comes first, never more than that, and never a clean end
    expect(got.length).toBeLessThanOrEqual(2);
    expect(got).toEqual(hundred.slice(0, got.length));
  });
});

describe('B31 a handler that', () => {
  it.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new TypeError('thrown');
      },
      'thrown',
    ],
    ['rejects', () => Promise.reject(new Error('rejected')), 'rejected'],
    [
      'throws a text',
      () => {
        throw 'bare';
      },
      'bare',
    ],
    ['throws undefined', () => Promise.reject(), ''],
  ])('%s fails its request and its stream, is logged, and the next call works', async (_, run, text) => {
    line.handle(60, run);
    line.handle(61, (payload) => payload);
    for (const call of [line.caller.request(60), collect(line.caller.stream(60))]) {
      // what it threw is nobody's business but the log's
      expect(await failure(call)).toMatchObject({ code: 'INTERNAL', remote: true });
    }
    expect(line.logged).toEqual([expect.stringContaining(text), expect.stringContaining(text)]);
    expect(await line.caller.request(61, 'fine')).toBe('fine');
  });
});

describe('a producer', () => {
  it('B33 that goes on after its Observable has completed: the caller sees one clean end', async () => {
    let late!: () => void;
    line.handle(63, () => {
      return new Observable((subscriber) => {
        subscriber.next(1);
        subscriber.complete();
        late = () => {
          subscriber.next(2);
          subscriber.error(new Error('late'));
        };
      });
    });
    const call = line.caller.stream(63);
    const items = collect(call);
    await line.pair.settle();
    late();
    expect(await items).toEqual([1]);
    late();
    await line.pair.settle();
    expect(line.logged).toEqual([]);
  });

  it('B34 that never ends is stopped when its consumer leaves after one item', async () => {
    let produced = 0;
    const stopped = signalled();
    const produce = async function* (): AsyncGenerator<number> {
      try {
        for (;;) yield produced++;
      } finally {
        stopped.resolve();
      }
    };
    line.handle(63, produce, { outCapacity: 4 });
    for await (const item of line.caller.stream(63)) {
      expect(item).toBe(0);
      break;
    }
    await stopped.promise;
    expect(produced).toBeLessThan(10);
  });

  it('B36 of input goes on while the handler returns without a look at it: both ends are done with it', async () => {
    line.handle(65, () => 'enough', { kind: 'stream', inCapacity: 2 });
    let written = 0;
    const call = line.caller.stream(65, undefined, { inCapacity: 2 });
    const writing = (async () => {
      for (; ; written++) await call.write(written);
    })().catch((error: unknown) => error);
    expect(await collect(call)).toEqual(['enough']);
    await writing;
    expect(written).toBeLessThanOrEqual(3);
  });
});

describe('B28 a connection that is cut while a call is made', () => {
  /** Turns of the microtask queue, then of the loop, that pass between the call and the cut. */
  const moments: [number, number][] = [
    ...Array.from({ length: 40 }, (_, i): [number, number] => [i, 0]),
    ...Array.from({ length: 12 }, (_, i): [number, number] => [0, i + 1]),
  ];

  it.each(['request', 'request with a signal', 'stream', 'stream with input', 'emit'] as const)(
    '%s: ends once, as disconnected, at whatever moment',
    async (kind) => {
      for (const [microtasks, turns] of moments) {
        line = gridLine();
        const never = new Promise(() => undefined);
        line.handle(60, () => never, { kind: 'request' });
        line.handle(62, () => never, { kind: 'event' });
        const aborted = (_payload: unknown, { signal }: CallContext): Promise<unknown> =>
          new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        line.handle(63, aborted, { kind: 'stream', inCapacity: 1 });
        const controller = new AbortController();
        const made = {
          request: () => line.caller.request(60),
          'request with a signal': () => line.caller.request(60, 'x', { signal: controller.signal, timeoutMs: 1_000 }),
          stream: () => collect(line.caller.stream(63)),
          'stream with input': () => collect(line.caller.stream(63, 'x', { input: hundred, inCapacity: 1 })),
          emit: () => line.caller.emit(62),
        }[kind]();
        const ends: (GridError | 'fulfilled')[] = [];
        const ended = made.then(
          () => ends.push('fulfilled'),
          (error: GridError) => ends.push(error),
        );
        for (let i = 0; i < microtasks; i++) await Promise.resolve();
        for (let i = 0; i < turns; i++) await turn();
        line.pair.cut();
        await ended;
        await line.pair.settle();
        expect(ends).toHaveLength(1);
        // an event has arrived when its answer has; nothing else was answered here
        const fine = isDisconnected(ends[0]) || (kind === 'emit' && ends[0] === 'fulfilled');
        expect([microtasks, turns, fine]).toEqual([microtasks, turns, true]);
        expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
        expect([line.pair.a.outgoing, line.clock.timers]).toEqual([0, 0]);
      }
      line = gridLine();
    },
  );
});

it(`B35 ${volume(5_000, 100_000)} requests with one signal and hours to go leave no listener, no timer`, async () => {
  const { signal } = new AbortController();
  line.handle(60, (payload) => payload);
  const count = volume(50, 1_000);
  for (let round = 0; round < count; round++) {
    const options = { signal, timeoutMs: 3_600_000 };
    const answers = await Promise.all(hundred.map((i) => line.caller.request(60, i, options)));
    expect(answers[99]).toBe(99);
    line.pair.aToB.delivered.length = line.pair.bToA.delivered.length = 0;
  }
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  expect(line.clock.timers).toBe(0);
}, 300_000);
