import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { from, of, Subject, type Observable } from 'rxjs';
import { GridError } from '../../lib/errors/index.js';
import { collect, failure, HANDLER, lineForEachTest, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

async function* count(to = Infinity): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
}

const never = (): Promise<never> => new Promise(() => {});

describe('input of a stream call', () => {
  const sources: Array<[string, () => Iterable<number> | AsyncIterable<number> | Observable<number> | Readable]> = [
    ['an array', () => [0, 1, 2, 3, 4]],
    ['an async generator', () => count(5)],
    ['a Readable', () => Readable.from([0, 1, 2, 3, 4])],
    ['a Set', () => new Set([0, 1, 2, 3, 4])],
    ['an Observable', () => of(0, 1, 2, 3, 4)],
    ['an Observable of later values', () => from(count(5))],
  ];

  it.each(sources)('may be %s, pumped with credit', async (_name, input) => {
    line.handle(60, (_payload, context) => collect(context.input), { inCapacity: 2 });
    const call = line.caller.stream(60, undefined, { input: input(), inCapacity: 2 });
    await expect(collect(call)).resolves.toEqual([[0, 1, 2, 3, 4]]);
  });

  it('is pulled one value ahead of the credit, so that its end needs none', async () => {
    let pulled = 0;
    let returned = false;
    line.handle(60, never, { inCapacity: 3 });
    const input = (async function* () {
      try {
        for (;;) yield pulled++;
      } finally {
        returned = true;
      }
    })();
    const call = line.caller.stream(60, undefined, { input });
    await line.pair.settle();
    expect(pulled).toBe(4);
    call.cancel();
    await line.pair.settle();
    expect(returned).toBe(true);
  });

  it.each(['yields on', 'ends', 'throws'])('that ends its call and %s is cleaned up', async (then) => {
    line.handle(60, never, { inCapacity: 3 });
    const controller = new AbortController();
    let returned = 0;
    const input = (function* () {
      try {
        yield 1;
        controller.abort();
        if (then === 'throws') throw new Error('no');
        if (then === 'yields on') yield 2;
      } finally {
        returned++;
      }
    })();
    const call = line.caller.stream(60, undefined, { input, signal: controller.signal });
    expect((await failure(call.done)).code).toBe('CANCELLED');
    await line.pair.settle();
    expect(returned).toBe(1);
  });

  it('from an Observable fails past outBuffer', async () => {
    line.handle(60, never, { inCapacity: 3 });
    const input = new Subject<number>();
    const call = line.caller.stream(60, undefined, { input });
    await line.pair.settle();
    for (let i = 0; i < 3 + 1024; i++) input.next(i);
    expect(input.observed).toBe(true);
    input.next(0);
    expect(input.observed).toBe(false);
    call.cancel();
    await line.pair.settle();
  });

  it('that throws cancels the call with its error', async () => {
    line.handle(60, (_payload, context) => collect(context.input), { inCapacity: 3 });
    const call = line.caller.stream(60, undefined, {
      input: (async function* () {
        yield 1;
        throw new Error('mine');
      })(),
    });
    expect(await failure(collect(call))).toMatchObject({ code: 'CANCELLED', message: 'the input failed: mine' });
    const odd = line.caller.stream(60, undefined, { input: [1, 1n] });
    expect(await failure(collect(odd))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('that fails as a call of its own does not tell that this call was not sent: its handler ran', async () => {
    let ran = 0;
    line.handle(60, (_payload, context) => (ran++, collect(context.input)), { inCapacity: 3 });
    const away = new GridError('UNAVAILABLE', 'not there', {
      notSent: true,
      remote: true,
      reason: 'not-connected',
      peer: 'http://c:9000',
      details: { at: 3 },
    });
    const call = line.caller.stream(60, undefined, {
      input: (async function* () {
        yield 1;
        await line.pair.settle();
        throw away;
      })(),
    });
    const error = await failure(collect(call));
    expect(ran).toBe(1);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: 'not there', details: { at: 3 }, peer: HANDLER });
    expect(error).toMatchObject({ notSent: false, remote: false, reason: undefined, cause: away });
  });

  it('to a handler that takes none is stopped; the call goes on without it (spec §11, capacity)', async () => {
    let returned = false;
    line.handle(61, () => count(3));
    const input = (async function* () {
      try {
        for (;;) yield 1;
      } finally {
        returned = true;
      }
    })();
    await expect(collect(line.caller.stream(61, undefined, { input }))).resolves.toEqual([0, 1, 2]);
    expect(returned).toBe(true);
  });

  it('is closed when the call cannot even be opened', async () => {
    const input = Readable.from([1]);
    expect((await failure(line.caller.stream(60, undefined, { input, timeoutMs: 0 }).done)).code).toBe(
      'DEADLINE_EXCEEDED',
    );
    expect(input.destroyed).toBe(true);
  });

  it('is closed and counted where the handler takes none, and the call goes on', async () => {
    line.handle(61, () => of('still', 'here'));
    let returned = false;
    async function* input(): AsyncGenerator<number> {
      try {
        for (let n = 0; ; n++) yield n;
      } finally {
        returned = true;
      }
    }
    await expect(collect(line.caller.stream(61, undefined, { input: input() }))).resolves.toEqual(['still', 'here']);
    expect(returned).toBe(true);
    expect(line.drops).toEqual(['unwanted-input']);
  });

  it('that is none is INVALID_ARGUMENT', () => {
    for (const input of [5, 'abc', Buffer.alloc(2), {}]) {
      expect(() => line.caller.stream(60, undefined, { input: input as never })).toThrow('input must be');
    }
    expect(() => line.caller.stream(60, undefined, { inCapacity: -1 })).toThrow('inCapacity');
    expect(() => line.caller.stream(60, undefined, { outCapacity: 0 })).toThrow('outCapacity');
  });

  it('write() is refused where it has no meaning', async () => {
    line.handle(60, never, { inCapacity: 3 });
    line.handle(61, never);
    line.handle(62, () => 'done', { inCapacity: 3 });
    const given = line.caller.stream(60, undefined, { input: count() });
    const ended = line.caller.stream(60, undefined, { inCapacity: 3 });
    const closed = line.caller.stream(60);
    const none = line.caller.stream(61, undefined, { inCapacity: 3 });
    const over = line.caller.stream(62, undefined, { inCapacity: 3 });
    ended.end();
    await line.pair.settle();
    for (const [call, text] of [
      [given, 'given its input'],
      [ended, 'after end()'],
      [closed, 'takes no input'],
      [none, 'takes no input'],
      [over, 'is over'],
    ] as const) {
      expect(await failure(call.write(1))).toMatchObject({
        code: 'FAILED_PRECONDITION',
        message: expect.stringContaining(text),
      });
    }
    expect(await failure(ended.write(1n))).toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  it('write() that is refused after the end leaves the error of the call one object', async () => {
    line.handle(60, never, { inCapacity: 1 });
    const call = line.caller.stream(60, undefined, { inCapacity: 1 });
    call.end();
    call.cancel();
    const ended = await failure(call.done);
    expect(await failure(call.write(1))).toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(await failure(collect(call))).toBe(ended);
  });

  it('a write that waits fails when the call ends', async () => {
    line.handle(60, never, { inCapacity: 1 });
    const call = line.caller.stream(60, undefined, { inCapacity: 1 });
    await call.write(1);
    const waiting = failure(call.write(2));
    expect(await failure(call.write(1n))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    call.cancel();
    expect((await waiting).code).toBe('CANCELLED');
  });
});
