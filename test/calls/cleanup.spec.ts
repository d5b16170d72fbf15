// What the cleanup of an application throws once its call is over changes nothing, and is told to the log.
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { concatWith, from, NEVER, Observable, of } from 'rxjs';
import type { CallContext, GridCall } from '../../lib/calls/index.js';
import { turn } from '../turn.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  line = gridLine();
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});

afterEach(async () => {
  await line.pair.settle();
  const { a, b, aborted } = line.pair;
  expect([a.outgoing, b.incoming, b.running, aborted]).toEqual([0, 0, 0, undefined]);
  line.pair.cut();
  await turn();
  process.off('unhandledRejection', onUnhandled);
  expect([unhandled, line.clock.timers]).toEqual([[], 0]);
});

class ValidationError extends Error {
  override readonly name = 'ValidationError';
}

const tidied = (): Error => new Error('cannot tidy');
const joined = (): Error => new AggregateError([new DOMException('', 'AbortError'), tidied()]);
const boom = (): never => {
  throw tidied();
};
const numbers = async function* (): AsyncGenerator<number> {
  try {
    for (let n = 0; ; n++) yield n;
  } finally {
    boom();
  }
};
const iterable = (iterator: object): AsyncIterable<unknown> => ({
  [Symbol.asyncIterator]: () => iterator as AsyncIterator<unknown>,
});
const next = async (): Promise<IteratorResult<number>> => ({ done: false, value: 1 });
const closing = (destroy: (error: Error | null, done: (error?: Error | null) => void) => void): Readable =>
  new Readable({ objectMode: true, read: () => {}, destroy });

const closed = (done: (error: Error) => void): void => done(new Error('cannot tidy'));

const sources: [string, () => AsyncIterable<unknown> | Observable<unknown>][] = [
  ['a generator, its `finally`', numbers],
  ['a generator, its `finally` later', () => iterable({ next, return: async () => (await turn(), boom()) })],
  ['an iterator, its `return`', () => iterable({ next, return: boom })],
  ['a Readable, its `destroy`', () => closing((_error, done) => closed(done))],
  ['a Readable, its `destroy` later', () => closing((_error, done) => setImmediate(closed, done))],
  ['a Readable of a generator', () => Readable.from(numbers())],
  ['an Observable, its teardown', () => new Observable(() => boom)],
  ['an Observable, its teardown after a value', () => new Observable((to) => (to.next(1), boom))],
  ['a Readable that joins it with its end', () => closing((_error, done) => done(joined()))],
  ['an Observable of a generator', () => of(numbers()).pipe(concatWith(NEVER))],
];

describe('a cleanup that throws is logged once', () => {
  const handlerLine = [expect.stringMatching(/^handler 60: its cleanup failed: Error: cannot tidy\n {4}at /)];

  it.each(sources)('%s: the caller leaves', async (_, source) => {
    line.handle(60, source, { kind: 'stream', concurrency: 1 });
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    expect((await failure(collect(call))).code).toBe('CANCELLED');
    await line.pair.settle();
    expect(line.logged).toEqual(handlerLine);
    // its place is free again
    const again = line.caller.stream(60);
    await line.pair.settle();
    again.cancel();
  });

  it.each(sources)('%s: the deadline passes', async (_, source) => {
    line.handle(60, source, { kind: 'stream' });
    const call = line.caller.stream(60, undefined, { timeoutMs: 100 });
    await line.pair.settle();
    line.clock.advance(100);
    expect((await failure(collect(call))).code).toBe('DEADLINE_EXCEEDED');
    await line.pair.settle();
    expect(line.logged).toEqual(handlerLine);
  });

  it('a second value ends a request: of what gave it', async () => {
    line.handle(60, numbers, { kind: 'request', concurrency: 1 });
    for (let calls = 1; calls <= 2; calls++) {
      expect(await failure(line.caller.request(60))).toMatchObject({ message: 'streams: call stream()' });
      await line.pair.settle();
      expect(line.logged).toEqual(Array(calls).fill(handlerLine[0]));
    }
  });

  it('a value that cannot be sent ends a stream: of what gave it', async () => {
    const odd = async function* (): AsyncGenerator {
      try {
        yield 1n;
      } finally {
        boom();
      }
    };
    line.handle(60, odd, { kind: 'stream', concurrency: 1 });
    expect((await failure(collect(line.caller.stream(60)))).code).toBe('INTERNAL');
    await line.pair.settle();
    expect(line.logged).toEqual([expect.stringContaining('a value cannot be encoded'), ...handlerLine]);
  });

  it.each<[string, (end: () => void) => void]>([
    ['at once', (end) => end()],
    ['later', (end) => setImmediate(end)],
  ])('an Observable that has ended by itself, %s: its caller has its answer', async (_, then) => {
    line.handle(60, () => new Observable((to) => (to.next(1), then(() => to.complete()), boom)));
    await expect(line.caller.request(60)).resolves.toBe(1);
    expect(line.logged).toEqual(handlerLine);
  });

  it.each([
    ['an iterator', () => iterable({ next, return: boom })],
    ['a Readable', () => closing((_error, done) => closed(done))],
  ])('%s that comes when nobody waits any more', async (_, source) => {
    const late = signalled();
    line.handle(60, () => late.promise.then(source));
    const controller = new AbortController();
    const calls = [
      failure(line.caller.request(60, undefined, { signal: controller.signal })),
      failure(collect(line.caller.stream(60, undefined, { signal: controller.signal }))),
    ];
    await line.pair.settle();
    controller.abort();
    await Promise.all(calls);
    await line.pair.settle();
    late.resolve();
    await line.pair.settle();
    expect(line.logged).toEqual([handlerLine[0], handlerLine[0]]);
  });

  it.each([
    ['with an empty list of errors', [], 'ValidationError: no order'],
    ['with a list of texts', ['no name'], 'ValidationError: no order'],
    ['that joins nothing', new AggregateError([], 'no order'), 'AggregateError: no order'],
  ])('an error of the application %s', async (_, errors, text) => {
    const thrown = Array.isArray(errors) ? Object.assign(new ValidationError('no order'), { errors }) : errors;
    line.handle(60, () => iterable({ next, return: () => Promise.reject(thrown) }), { kind: 'stream' });
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    await failure(collect(call));
    await line.pair.settle();
    expect(line.logged).toEqual([expect.stringMatching(new RegExp(`^handler 60: its cleanup failed: ${text}\\n`))]);
  });

  it('an event, of a generator in an Observable', async () => {
    line.handle(60, () => from([numbers(), 'a second value']), { kind: 'event' });
    await line.caller.emit(60);
    await line.pair.settle();
    expect(line.logged).toEqual([
      expect.stringMatching(/^event 60: its cleanup failed: Error: cannot tidy\n/),
      expect.stringContaining('a second value beside an AsyncIterable'),
    ]);
    expect(line.table.runningEvents).toBe(0);
  });

  it('a log that fails too changes nothing', async () => {
    line.logged.push = boom;
    line.handle(60, numbers, { kind: 'stream', concurrency: 1 });
    for (let calls = 0; calls < 2; calls++) {
      for await (const item of line.caller.stream(60)) if (item === 0) break;
      await line.pair.settle();
    }
  });
});

describe('nothing is logged', () => {
  const after = (cleanup: (context: CallContext) => unknown) => (_payload: unknown, context: CallContext) =>
    iterable({ next, return: async () => cleanup(context) });

  it.each<[string, (payload: unknown, context: CallContext) => unknown]>([
    ['of what throws the reason of its signal, as the body of a fetch', after(({ signal }) => signal.throwIfAborted())],
    ['of what says that it was aborted', after(() => Promise.reject(new DOMException('no more', 'AbortError')))],
    ['of a Readable that was not read to its end', () => new Readable({ read: () => {} })],
    ['of a Readable of a generator', () => Readable.from([1, 2, 3, 4])],
    ['of a generator that throws because it was aborted', async function* (_payload, { signal }) {
      yield 1;
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
    }],
  ])('%s', async (_, run) => {
    line.handle(60, run, { kind: 'stream', outCapacity: 2 });
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    await line.pair.settle();
    await failure(collect(call));
    expect(line.logged).toEqual([]);
  });
});

it('a connection that is lost with a thousand streams makes 20 lines, and says that it leaves some out', async () => {
  line.handle(60, numbers, { kind: 'stream' });
  const calls = Array.from({ length: 1_000 }, () => line.caller.stream(60));
  await line.pair.settle();
  line.pair.cut();
  await Promise.all(calls.map((call) => failure(collect(call))));
  await line.pair.settle();
  expect(line.logged).toHaveLength(20);
  expect(line.logged[19]).toMatch(/^handler 60: its cleanup failed: \(no more lines .* hour\) Error: cannot tidy\n/);
});

describe('the cleanup of an input that throws is logged once where the call was made', () => {
  const whose = 'call of 60 to http://b:9000: the cleanup of its input';
  const inputLine = [expect.stringMatching(new RegExp(`^${whose} failed: Error: cannot tidy\\n {4}at `))];
  const never = (): Promise<never> => new Promise(() => {});
  const untilAborted = (_payload: unknown, { signal }: CallContext): Promise<unknown> =>
    new Promise((resolve) => signal.addEventListener('abort', resolve));
  const all: [string, () => Iterable<unknown> | AsyncIterable<unknown> | Observable<unknown>][] = [
    ...sources,
    ['a plain generator, its `finally`', function* () {
      try {
        for (;;) yield 1;
      } finally {
        boom();
      }
    }],
  ];

  it.each(all)('%s: the call is cancelled', async (_, input) => {
    line.handle(60, untilAborted, { kind: 'stream', inCapacity: 4 });
    const call: GridCall = line.caller.stream(60, undefined, { input: input(), inCapacity: 4 });
    await line.pair.settle();
    call.cancel();
    expect((await failure(call.done)).code).toBe('CANCELLED');
    await line.pair.settle();
    expect([line.inputFaults, line.logged]).toEqual([inputLine, []]);
  });

  it.each(all)('%s: the handler ends before', async (_, input) => {
    line.handle(60, () => 'enough', { kind: 'stream', inCapacity: 4 });
    const call = line.caller.stream(60, undefined, { input: input(), inCapacity: 4 });
    await expect(collect(call)).resolves.toEqual(['enough']);
    await line.pair.settle();
    expect(line.inputFaults).toEqual(inputLine);
  });

  it('of a call under a prefix, and of one that cannot be opened', async () => {
    const odd = (): AsyncIterable<unknown> => iterable({ next: never, return: boom });
    const under = line.caller.subroute('disk');
    for (const timeoutMs of [0, 0]) await failure(under.stream('sum', undefined, { input: odd(), timeoutMs }).done);
    expect(() => under.stream('sum', undefined, { input: odd(), inCapacity: -1 })).toThrow('inCapacity');
    await turn();
    expect(line.inputFaults).toHaveLength(3);
    expect(new Set(line.inputFaults.map((text) => text.split(': Error')[0]))).toEqual(
      new Set(['call of disk/sum to http://b:9000: the cleanup of its input failed']),
    );
  });

  it('a signal that ends the call may be what its input throws', async () => {
    line.handle(60, untilAborted, { kind: 'stream', inCapacity: 4 });
    const controller = new AbortController();
    const { signal } = controller;
    const input = iterable({ next: never, return: async () => signal.throwIfAborted() });
    const call = line.caller.stream(60, undefined, { input, inCapacity: 4, signal });
    await line.pair.settle();
    controller.abort(new Error('enough'));
    await failure(call.done);
    await line.pair.settle();
    expect(line.inputFaults).toEqual([]);
  });
});
