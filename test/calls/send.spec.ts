import { getEventListeners } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import { finalize, firstValueFrom, interval, lastValueFrom, take, toArray } from 'rxjs';
import { bytes } from '../../lib/calls/index.js';
import { silentCalls, silentObserver } from '../../lib/observe/index.js';
import { failure, gridLine, lineForEachTest, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

async function* count(to = Infinity): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
}

const never = (): Promise<never> => new Promise(() => {});

describe('send()', () => {
  it('is cold: each subscription makes a call', async () => {
    let calls = 0;
    line.handle(60, () => ++calls);
    const sent = line.caller.send(60);
    expect(calls).toBe(0);
    await expect(firstValueFrom(sent)).resolves.toBe(1);
    await expect(firstValueFrom(sent)).resolves.toBe(2);
    await line.pair.settle();
    expect(line.pair.aToB.delivered).toHaveLength(2);
  });

  it('keeps the order of an iterator that answers at once', async () => {
    let next = 0;
    const iterator = { next: () => (next < 20 ? { done: false, value: next++ } : { done: true, value: undefined }) };
    line.handle(61, () => ({ [Symbol.asyncIterator]: () => iterator }), { outCapacity: 4 });
    const values = await lastValueFrom(line.caller.send(61).pipe(toArray()));
    expect(values).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  it('waits a turn for a second value only where it takes one and two credits are there', async () => {
    const values = async function* (): AsyncGenerator<number> {
      yield 1;
      await Promise.resolve();
    };
    line.handle(60, values);
    line.handle(61, values, { outCapacity: 1 });
    const waits = jest.spyOn(globalThis, 'setImmediate');
    const turns: number[] = [];
    const calls = [
      () => line.caller.request(60),
      () => line.caller.request(61),
      () => lastValueFrom(line.caller.send(61)),
      () => lastValueFrom(line.caller.send(60)),
    ];
    for (const call of calls) {
      await expect(call()).resolves.toBe(1);
      turns.push(waits.mock.calls.length);
    }
    waits.mockRestore();
    expect(turns).toEqual([0, 0, 0, 1]);
  });

  it('stops a generator whose first value cannot be sent', async () => {
    let stopped = 0;
    line.handle(61, async function* () {
      try {
        yield () => {};
        yield* count();
      } finally {
        stopped++;
      }
    });
    expect((await failure(lastValueFrom(line.caller.send(61)))).code).toBe('INTERNAL');
    await line.pair.settle();
    expect([stopped, line.pair.b.running]).toEqual([1, 0]);
  });

  it('unsubscribing cancels, before the answer and in the middle of a stream', async () => {
    let torn = 0;
    line.handle(60, (_payload, { signal }) => new Promise(() => signal.addEventListener('abort', () => torn++)));
    line.handle(
      61,
      async function* () {
        try {
          yield* count();
        } finally {
          torn++;
        }
      },
      { outCapacity: 2 },
    );
    const first = line.caller.send(60).subscribe();
    await line.pair.settle();
    first.unsubscribe();
    await expect(lastValueFrom(line.caller.send(61).pipe(take(5), toArray()))).resolves.toEqual([0, 1, 2, 3, 4]);
    await line.pair.settle();
    expect(torn).toBe(2);
    expect(line.pair.b.incoming).toBe(0);
  });

  it('is cancelled by its signal and by its deadline', async () => {
    line.handle(60, never);
    const controller = new AbortController();
    const cancelled = failure(lastValueFrom(line.caller.send(60, undefined, { signal: controller.signal })));
    const late = failure(lastValueFrom(line.caller.send(60, undefined, { timeoutMs: 5 })));
    controller.abort();
    line.clock.advance(5);
    expect((await cancelled).code).toBe('CANCELLED');
    expect((await late).code).toBe('DEADLINE_EXCEEDED');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('gives an answer that cannot be decoded as an error, and a stream of them counts as ended by that', async () => {
    const ends: (string | undefined)[] = [];
    const callsOf = () => ({ ...silentCalls, ended: (code: string | undefined) => void ends.push(code) });
    line = gridLine({ observerA: { ...silentObserver, callsOf } });
    line.handle(60, () => Buffer.from('{'), { codec: bytes() });
    line.handle(
      61,
      async function* () {
        for (let i = 0; i < 3; i++) yield Buffer.from('{');
      },
      { codec: bytes() },
    );
    expect((await failure(lastValueFrom(line.caller.send(60)))).code).toBe('INTERNAL');
    ends.length = 0;
    expect((await failure(lastValueFrom(line.caller.send(61)))).code).toBe('INTERNAL');
    // as a request it ended well when it became a stream
    expect(ends).toEqual([undefined, 'INTERNAL']);
  });

  it('is refused where no further stream may run, and its handler is stopped', async () => {
    line = gridLine({ limits: { openStreams: 1 } });
    let torn = 0;
    line.handle(60, () => interval(1).pipe(finalize(() => torn++)));
    const first = line.caller.send(60).subscribe();
    const values = lastValueFrom(line.caller.send(60).pipe(take(1)));
    expect(await failure(values)).toMatchObject({ code: 'RESOURCE_EXHAUSTED', remote: true });
    expect(torn).toBe(1);
    first.unsubscribe();
    await line.pair.settle();
    expect([torn, line.pair.b.running]).toEqual([2, 0]);
  });
});
