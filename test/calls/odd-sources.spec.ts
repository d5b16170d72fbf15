// Iterators and signals of an application whose getters and methods throw: that one call ends, nothing else.
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import type { CallContext, GridCall } from '../../lib/calls/index.js';
import { turn } from '../turn.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
let others: Promise<unknown>;
let answer: (value: unknown) => void;
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  line = gridLine();
  const { promise, resolve } = signalled<unknown>();
  answer = resolve;
  line.handle(70, () => promise);
  others = line.caller.request(70);
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});

afterEach(async () => {
  // the connection and the other call on it know nothing of it
  expect(line.pair.aborted).toBeUndefined();
  answer('fine');
  await expect(others).resolves.toBe('fine');
  await line.pair.settle();
  expect([line.pair.a.outgoing, line.pair.b.incoming, line.pair.b.running]).toEqual([0, 0, 0]);
  line.pair.cut();
  await turn();
  process.off('unhandledRejection', onUnhandled);
  expect([unhandled, line.clock.timers]).toEqual([[], 0]);
});

const boom = (): never => {
  throw new Error('a getter');
};
const never = (): Promise<never> => new Promise(() => {});
const untilAborted = (_payload: unknown, { signal }: CallContext): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve));
const iterable = (iterator: object): AsyncIterable<unknown> => ({
  [Symbol.asyncIterator]: () => iterator as AsyncIterator<unknown>,
});
/** What an iterator gives whose result cannot be waited for. */
const oddResult = (): object => Object.defineProperty({}, 'then', { get: boom });

const oddEnds: [string, () => AsyncIterable<unknown>][] = [
  ['whose `return` cannot be read', () => iterable(Object.defineProperty({ next: never }, 'return', { get: boom }))],
  ['whose `return` throws', () => iterable({ next: never, return: boom })],
  ['whose iterator is none', () => iterable(undefined as never)],
];

describe('an iterable', () => {
  it.each(oddEnds)('%s, as the result of a handler: its caller leaves', async (_, odd) => {
    line.handle(60, odd);
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    await failure(collect(call));
  });

  it.each(oddEnds)('%s, as input: who reads is told when the handler ends', async (name, odd) => {
    line.handle(60, () => 'done', { kind: 'stream', inCapacity: 4 });
    const call = line.caller.stream(60, undefined, { input: odd(), inCapacity: 4 });
    const told = await Promise.allSettled([collect(call), call.done]);
    const answered = [{ status: 'fulfilled', value: ['done'] }, { status: 'fulfilled' }];
    // one that gives nothing to pull from ends the call before it is sent; the others are left alone when it ends
    const refused = Array(2).fill({ status: 'rejected', reason: { code: 'CANCELLED', notSent: true } });
    expect(told).toMatchObject(name === 'whose iterator is none' ? refused : answered);
  });

  it.each(oddEnds)('%s, as input: who reads is told when the caller leaves', async (_, odd) => {
    line.handle(61, untilAborted, { kind: 'stream', inCapacity: 4 });
    const call = line.caller.stream(61, undefined, { input: odd(), inCapacity: 4 });
    await line.pair.settle();
    const read = failure(collect(call));
    call.cancel();
    await read;
  });

  it.each([1, 3])('whose result %i has a `then` that throws: the error comes after those before', async (odd) => {
    let asked = 0;
    const next = (): unknown => (++asked === odd ? oddResult() : Promise.resolve({ done: false, value: asked }));
    line.handle(60, () => iterable({ next }), { outCapacity: 1 });
    const seen: unknown[] = [];
    const call: GridCall = line.caller.stream(60);
    const error = await failure(call.toObservable().forEach((message) => void seen.push(message)));
    expect([error.code, error.remote, seen.length]).toEqual(['INTERNAL', true, odd - 1]);
    expect(line.logged).toEqual([expect.stringContaining('a getter')]);
  });

  it('whose result has a `then` that throws, as input: the call is cancelled with it', async () => {
    line.handle(61, untilAborted, { kind: 'stream', inCapacity: 4 });
    const call = line.caller.stream(61, undefined, { input: iterable({ next: oddResult }), inCapacity: 4 });
    expect(await failure(call.done)).toMatchObject({ code: 'CANCELLED', message: 'the input failed: a getter' });
  });
});

describe('a signal', () => {
  const deaf = (): AbortSignal =>
    ({ aborted: false, addEventListener: boom, removeEventListener: boom }) as unknown as AbortSignal;
  const makers: [string, (signal: AbortSignal, parent?: AbortSignal) => Promise<unknown>][] = [
    ['request()', (signal, parent) => line.caller.request(61, undefined, optionsOf(signal, parent))],
    ['emit()', (signal, parent) => line.caller.emit(61, undefined, optionsOf(signal, parent))],
    ['send()', (signal, parent) => lastValueFrom(line.caller.send(61, undefined, optionsOf(signal, parent)))],
    ['stream()', (signal, parent) => collect(line.caller.stream(61, undefined, optionsOf(signal, parent)))],
  ];
  const optionsOf = (signal: AbortSignal, parent?: AbortSignal): object => ({
    signal,
    ...(parent && { parent: { signal: parent, deadline: undefined } }),
  });

  beforeEach(() => void line.handle(61, untilAborted));

  it.each(makers)('that cannot be listened to: %s fails, and its handler does not run on', async (_, call) => {
    const error = await failure(call(deaf()));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: 'signal cannot be listened to: a getter' });
  });

  it.each(makers)('the same of the parent: %s forgets its own', async (_, call) => {
    let listeners = 0;
    const own = {
      aborted: false,
      addEventListener: () => void listeners++,
      removeEventListener: () => void listeners--,
    } as unknown as AbortSignal;
    expect((await failure(call(own, deaf()))).code).toBe('INVALID_ARGUMENT');
    expect(listeners).toBe(0);
  });

  it.each([
    ['request()', (payload, options) => line.caller.request(61, payload, options)],
    ['emit()', (payload, options) => line.caller.emit(61, payload, options)],
    ['send()', (payload, options) => lastValueFrom(line.caller.send(61, payload, options))],
    ['stream()', (payload, options) => collect(line.caller.stream(61, payload, options))],
  ] satisfies [string, (payload: unknown, options: object) => Promise<unknown>][])(
    'of the parent that aborts while the payload is encoded: %s forgets its own',
    async (_, call) => {
      const own = new AbortController();
      const outer = new AbortController();
      const payload = { toJSON: () => (outer.abort(), 1) };
      const options = { signal: own.signal, parent: { signal: outer.signal, deadline: undefined } };
      expect((await failure(call(payload, options))).code).toBe('CANCELLED');
      expect(getEventListeners(own.signal, 'abort')).toEqual([]);
    },
  );

  it.each(makers)('that cannot be forgotten: %s ends as it would', async (_, call) => {
    let abort = (): void => {};
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener: (_type: string, listener: () => void) => void (abort = listener),
      removeEventListener: boom,
    } as unknown as AbortSignal;
    line.handle(62, () => 1);
    await expect(line.caller.request(62, undefined, { signal })).resolves.toBe(1);
    await expect(collect(line.caller.stream(62, undefined, { signal }))).resolves.toEqual([1]);
    const cancelled = failure(call(signal));
    await line.pair.settle();
    abort();
    expect((await cancelled).code).toBe('CANCELLED');
  });
});

describe('an option that cannot be read', () => {
  const names = ['timeoutMs', 'signal', 'parent', 'codec', 'metadata', 'traceContext'] as const;
  const unread = (name: string): object => Object.defineProperty({}, name, { get: boom, enumerable: true });
  const expected = { code: 'INTERNAL', message: 'a getter', notSent: true };

  beforeEach(() => void line.handle(61, () => Promise.reject(new Error('it ran'))));

  it.each(names)('%s: each kind of call fails, and says that nothing was sent', async (name) => {
    const options = unread(name);
    const calls = [
      line.caller.request(61, undefined, options),
      line.caller.emit(61, undefined, options),
      lastValueFrom(line.caller.send(61, undefined, options)),
      line.caller.stream(61, undefined, options).done,
    ];
    for (const call of calls) expect(await failure(call)).toMatchObject({ ...expected, pattern: '61' });
  });

  it('input: so does a stream', async () => {
    expect(await failure(line.caller.stream(61, undefined, unread('input')).done)).toMatchObject(expected);
  });
});
