import { AsyncLocalStorage } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { EMPTY, from, NEVER, Observable, of, Subject, throwError } from 'rxjs';
import { msgpack } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { collect, failure, gridLine, HANDLER, lineForEachTest, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

const explode = (): never => {
  throw new Error('secret');
};

async function* count(to = Infinity): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
}

describe('a stream is answered by', () => {
  const answers: Array<[string, () => unknown, unknown[]]> = [
    ['a value: one message', () => 5, [5]],
    ['a Promise of a value', () => Promise.resolve(5), [5]],
    ['nothing: no message', () => undefined, []],
    ['an array: one message', () => [1, 2], [[1, 2]]],
    ['an Observable', () => from([1, 2, 3]), [1, 2, 3]],
    ['an empty Observable', () => EMPTY, []],
    ['an Observable with undefined in it', () => of(1, undefined, 2), [1, undefined, 2]],
    ['an async generator', () => count(100), Array.from({ length: 100 }, (_, i) => i)],
    ['a Promise of an async generator', () => Promise.resolve(count(3)), [0, 1, 2]],
    ['an Observable of one async generator', () => of(count(3)), [0, 1, 2]],
    [
      'an Observable of one generator that never completes itself',
      () => new Observable((s) => s.next(count(3))),
      [0, 1, 2],
    ],
    ['a Readable', () => Readable.from(['a', 'b']), ['a', 'b']],
  ];

  it.each(answers)('%s', async (_name, run, expected) => {
    line.handle(60, run, { outCapacity: 4 });
    await expect(collect(line.caller.stream(60))).resolves.toEqual(expected);
    expect(line.pair.b.running).toBe(0);
  });
});

describe('a handler whose stream', () => {
  const bad: Array<[string, () => unknown, unknown[]]> = [
    [
      'throws at once',
      () => {
        throw new Error('secret');
      },
      [],
    ],
    ['rejects', () => Promise.reject(new Error('secret')), []],
    [
      'is an Observable that errors after a value',
      () =>
        new Observable((s) => {
          s.next(1);
          s.error('secret');
        }),
      [1],
    ],
    ['is an Observable that errors', () => throwError(() => new Error('secret')), []],
    [
      'throws after a value',
      async function* () {
        yield 1;
        throw new Error('secret');
      },
      [1],
    ],
    [
      'throws in finally',
      async function* () {
        try {
          yield 1;
        } finally {
          explode();
        }
      },
      [1],
    ],
    [
      'has a value that cannot be encoded',
      async function* () {
        yield 1;
        yield 1n;
        yield 3;
      },
      [1],
    ],
    ['has a first value that cannot be encoded', () => 1n, []],
    ['is an Observable with two generators', () => of(count(1), count(1)), []],
    [
      'has an iterator without return',
      () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('x')) }) }),
      [],
    ],
  ];

  it.each(bad)('%s fails that one call', async (_name, run, before) => {
    line.handle(60, run);
    const call = line.caller.stream(60);
    const seen: unknown[] = [];
    const error = await failure(
      (async () => {
        for await (const message of call) seen.push(message);
      })(),
    );
    expect(error).toMatchObject({ message: 'Internal server error', remote: true, peer: HANDLER, pattern: '60' });
    expect(seen).toEqual(before);
    await line.pair.settle();
    expect(line.pair.b.running).toBe(0);
    expect(line.logged.length).toBeGreaterThan(0);
    await expect(failure(call.done)).resolves.toBe(error);
  });

  it('is a single answer only is not reached by stream()', async () => {
    line.handle(60, () => 1, { kind: 'request' });
    expect((await failure(collect(line.caller.stream(60)))).code).toBe('UNIMPLEMENTED');
  });
});

describe('backpressure', () => {
  it('pulls a generator no further than the credit, and one value per credit after that', async () => {
    let pulled = 0;
    line.handle(
      60,
      async function* () {
        for (;;) yield pulled++;
      },
      { outCapacity: 4 },
    );
    const call = line.caller.stream(60);
    await line.pair.settle();
    expect(pulled).toBe(4);
    const reader = call[Symbol.asyncIterator]();
    for (let taken = 1; taken <= 3; taken++) {
      await reader.next();
      await line.pair.settle();
      expect(pulled).toBe(4 + taken);
    }
    await reader.return?.();
  });

  it('reads a Readable no further than the credit and its own buffer', async () => {
    let read = 0;
    const source = new Readable({
      objectMode: true,
      highWaterMark: 2,
      read() {
        this.push(read++);
      },
    });
    line.handle(60, () => source, { outCapacity: 4 });
    const call = line.caller.stream(60);
    await line.pair.settle();
    expect(read).toBeLessThanOrEqual(4 + 2 + 1);
    call.cancel();
    await line.pair.settle();
    expect(source.destroyed).toBe(true);
  });

  it('keeps what an Observable pushes up to outBuffer, then ends with an error that names it', async () => {
    const values = new Subject<number>();
    line.handle(60, () => values, { outCapacity: 4, outBuffer: 8 });
    const call = line.caller.stream(60);
    await line.pair.settle();
    for (let i = 0; i < 12; i++) values.next(i);
    expect(values.observed).toBe(true);
    values.next(12);
    expect(values.observed).toBe(false);
    const seen: unknown[] = [];
    const error = await failure(
      (async () => {
        for await (const message of call) seen.push(message);
      })(),
    );
    expect(seen).toEqual([...Array(12).keys()]);
    expect(error.message).toContain('outBuffer (8)');
    expect(line.pair.b.running).toBe(0);
  });

  it('keeps no more than heldBytes for all streams of one peer that gives no credit, beside what it sent', async () => {
    line = gridLine({ limits: { heldBytes: 10 * (1_000 + 256) } });
    const values = new Subject<string>();
    let observed = 0;
    const counted = new Observable<string>((subscriber) => {
      observed++;
      subscriber.add(values.subscribe(subscriber));
      return () => observed--;
    });
    const text = 'x'.repeat(998);
    line.handle(60, () => counted, { outCapacity: 1 });
    line.handle(61, (given) => given);
    const calls = Array.from({ length: 4 }, () => line.caller.stream(60));
    await line.pair.settle();
    // one is sent on each, two wait
    for (let i = 0; i < 3; i++) values.next(text);
    expect(observed).toBe(4);
    // ten fit: two streams end with what they have
    values.next(text);
    expect(observed).toBe(2);
    const seen: unknown[] = [];
    const error = await failure(
      (async () => {
        for await (const message of calls[3]!) seen.push(message);
      })(),
    );
    expect([seen, error.code]).toEqual([[text, text, text], 'RESOURCE_EXHAUSTED']);
    expect(error.message).toBe('more than heldBytes (12560) of values wait for credit');
    // two went with it; calls are taken all the same
    values.next(text);
    expect([observed, await line.caller.request(61, text)]).toEqual([2, text]);
    values.next(text);
    expect(observed).toBe(0);
    // and nothing is left of them
    for (const call of calls) call.cancel();
    await line.pair.settle();
    const last = line.caller.stream(60);
    await line.pair.settle();
    for (let i = 0; i < 11; i++) values.next(text);
    expect(observed).toBe(1);
    values.next(text);
    expect(observed).toBe(0);
    expect(await failure(collect(last))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  it('ends an endless synchronous Observable at its buffer', async () => {
    line.handle(
      60,
      () =>
        new Observable<number>((subscriber) => {
          for (let i = 0; !subscriber.closed; i++) subscriber.next(i);
        }),
      { outCapacity: 1, outBuffer: 10 },
    );
    const error = await failure(collect(line.caller.stream(60)));
    expect(error.message).toContain('outBuffer (10)');
  });

  it('waits for a congested connection, with one value in hand at most', async () => {
    let pulled = 0;
    const gate = signalled();
    line.handle(
      60,
      async function* () {
        for (;;) {
          yield pulled++;
          await gate.promise;
        }
      },
      { outCapacity: 4 },
    );
    const call = line.caller.stream(60);
    await line.pair.settle();
    line.pair.bToA.congested = true;
    gate.resolve();
    await line.pair.settle();
    expect(pulled).toBe(2);
    line.pair.bToA.drain();
    await line.pair.settle();
    expect(pulled).toBe(4);
    call.cancel();
  });
});

describe('a call that is cancelled, late or lost', () => {
  const endings: Array<[string, (line: GridLine, cancel: () => void) => void, string]> = [
    ['cancelled', (_line, cancel) => cancel(), 'CANCELLED'],
    ['late', ({ clock }) => clock.advance(1000), 'DEADLINE_EXCEEDED'],
    ['lost', ({ pair }) => pair.cut(), 'UNAVAILABLE'],
  ];

  it.each(endings)('%s: unsubscribes, returns, aborts the signal', async (_name, finish, code) => {
    const torn: string[] = [];
    const aborted: string[] = [];
    line.handle(60, (_payload, { signal }) => {
      signal.addEventListener('abort', () => aborted.push((signal.reason as GridError).code));
      return new Observable(() => () => {
        torn.push('observable');
        throw new Error('teardown');
      });
    });
    line.handle(
      61,
      async function* () {
        try {
          yield 1;
          yield 2;
        } finally {
          torn.push('generator');
          explode();
        }
      },
      { outCapacity: 1 },
    );
    line.handle(62, () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          torn.push('iterator');
          return Promise.reject(new Error('x'));
        },
      }),
    }));
    line.handle(63, () => of(count()), { outCapacity: 1 });
    const calls = [60, 61, 62, 63].map((id) => line.caller.stream(id, undefined, { timeoutMs: 1000 }));
    await line.pair.settle();
    finish(line, () => calls.forEach((call) => call.cancel()));
    for (const call of calls) expect((await failure(call.done)).code).toBe(code);
    await line.pair.settle();
    expect(torn.sort()).toEqual(['generator', 'iterator', 'observable']);
    expect(aborted).toEqual([code]);
    expect(line.pair.b.running).toBe(0);
    expect(line.logged.map((text) => text.split('\n')[0]).sort()).toEqual([
      'handler 60: its cleanup failed: Error: teardown',
      'handler 61: its cleanup failed: Error: secret',
      'handler 62: its cleanup failed: Error: x',
    ]);
  });

  it('is no failure of an Observable that ends with an error by it', async () => {
    line.handle(
      60,
      (_payload, { signal }) =>
        new Observable((subscriber) => {
          signal.addEventListener('abort', () => subscriber.error(new Error('aborted')));
        }),
    );
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    await line.pair.settle();
    expect([line.logged, line.pair.b.running]).toEqual([[], 0]);
  });

  it('ends a result that comes after that', async () => {
    const late = signalled<unknown>();
    let returned = false;
    line.handle(60, () => late.promise);
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    await line.pair.settle();
    expect(line.pair.b.running).toBe(1);
    late.resolve({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          returned = true;
          return Promise.resolve();
        },
      }),
    });
    await line.pair.settle();
    expect(returned).toBe(true);
    expect(line.pair.b.running).toBe(0);
  });

  it('counts a handler as running until its code has really ended', async () => {
    const end = signalled();
    line.handle(
      60,
      async function* () {
        try {
          yield 1;
          yield 2;
        } finally {
          await end.promise;
        }
      },
      { outCapacity: 1 },
    );
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    await line.pair.settle();
    expect(line.pair.b.running).toBe(1);
    end.resolve();
    await line.pair.settle();
    expect(line.pair.b.running).toBe(0);
  });
});

describe('a Readable of which more is being made when one of its values fails the call', () => {
  /** Fed by a generator that waits for the signal behind those values. */
  function tail(values: unknown[], signal: AbortSignal): Readable {
    return Readable.from(
      (async function* () {
        yield* values;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        signal.throwIfAborted();
      })(),
    );
  }

  it.each([
    ['a value that cannot be sent', [1, explode], (): Promise<unknown> => collect(line.caller.stream(60))],
    ['the second value of a request', [1, 2], (): Promise<unknown> => line.caller.request(60)],
  ])('ends by its signal: %s', async (_name, values, call) => {
    let reason: unknown;
    line.handle(60, (_payload, { signal }) => {
      signal.addEventListener('abort', () => (reason = signal.reason));
      return tail(values, signal);
    });
    const { code } = await failure(call());
    await line.pair.settle();
    expect(reason).toMatchObject({ code });
    expect(line.pair.b.running).toBe(0);
    expect(line.logged.filter((text) => text.includes('cleanup'))).toEqual([]);
  });
});

describe('the async context', () => {
  it('of a generator and of a teardown is that of the call', async () => {
    const store = new AsyncLocalStorage<string>();
    const seen: Array<string | undefined> = [];
    line.handle(
      60,
      () =>
        new Observable((subscriber) => {
          store.run('call', () =>
            subscriber.next(
              (async function* () {
                try {
                  for (let i = 0; i < 3; i++) {
                    seen.push(store.getStore());
                    yield i;
                  }
                } finally {
                  seen.push(store.getStore());
                }
              })(),
            ),
          );
        }),
      { outCapacity: 1 },
    );
    for await (const message of line.caller.stream(60)) if (message === 1) break;
    await line.pair.settle();
    expect(seen).toEqual(['call', 'call', 'call', 'call']);
  });

  it('of a teardown is that of the handler where no value came', async () => {
    const store = new AsyncLocalStorage<string>();
    const seen: Array<string | undefined> = [];
    line.handle(60, () => {
      store.enterWith('handler');
      return new Observable(() => () => void seen.push(store.getStore()));
    });
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel();
    await line.pair.settle();
    expect(seen).toEqual(['handler']);
  });
});

describe('input', () => {
  it('is read by the handler, each credit given back as it takes a message', async () => {
    const gate = signalled();
    line.handle(
      60,
      async (_payload, { input }) => {
        await gate.promise;
        return collect(input);
      },
      { inCapacity: 2 },
    );
    const call = line.caller.stream(60, undefined, { inCapacity: 2 });
    let written = 0;
    const writing = (async () => {
      for (let i = 0; i < 6; i++) {
        await call.write(i);
        written++;
      }
      call.end();
    })();
    await line.pair.settle();
    expect(written).toBe(2);
    gate.resolve();
    await expect(collect(call)).resolves.toEqual([[0, 1, 2, 3, 4, 5]]);
    await writing;
    await expect(call.done).resolves.toBeUndefined();
  });

  it('that is cut throws, it never looks like its end', async () => {
    const outcome = signalled<unknown>();
    line.handle(
      60,
      async (_payload, { input }) => {
        outcome.resolve(await collect(input).catch((error: unknown) => error));
      },
      { inCapacity: 2 },
    );
    const call = line.caller.stream(60, undefined, { inCapacity: 2 });
    await call.write(1);
    await line.pair.settle();
    line.pair.cut();
    expect(GridError.is(await outcome.promise)).toBe(true);
  });

  it('has one reader, and needs an inCapacity', async () => {
    line.handle(
      60,
      async (_payload, { input }) => {
        input[Symbol.asyncIterator]();
        input[Symbol.asyncIterator]();
      },
      { inCapacity: 2 },
    );
    line.handle(61, (_payload, context) => context.input);
    expect((await failure(collect(line.caller.stream(60, undefined, { inCapacity: 2 })))).message).toContain(
      'one reader',
    );
    expect((await failure(collect(line.caller.stream(61)))).message).toContain('takes no input');
  });

  it('need not be read', async () => {
    line.handle(60, () => 'done', { inCapacity: 2 });
    const call = line.caller.stream(60, undefined, { input: count(), inCapacity: 2 });
    await expect(collect(call)).resolves.toEqual(['done']);
  });

  it('that cannot be decoded throws INVALID_ARGUMENT to its reader', async () => {
    line.handle(60, (_payload, { input }) => collect(input), { inCapacity: 2 });
    const codec = { encode: () => Buffer.from('{'), decode: (bytes: Uint8Array): unknown => bytes };
    const call = line.caller.stream(60, undefined, { input: [1], inCapacity: 2, codec });
    expect((await failure(collect(call))).message).toMatch(/^a message of the input cannot be decoded/);
  });

  it('of a request, to a handler that takes both, is ended', async () => {
    line.handle(60, (_payload, { input }) => collect(input), { inCapacity: 2 });
    await expect(line.caller.request(60)).resolves.toEqual([]);
  });

  it('never comes to NEVER', async () => {
    line.handle(60, () => NEVER);
    const call = line.caller.stream(60);
    await line.pair.settle();
    call.cancel('enough');
    expect((await failure(call.done)).cause).toBe('enough');
  });
});

describe('in a log', () => {
  it('a call is its peer and its pattern, whatever state it is in', async () => {
    line.handle(60, () => count(2), { inCapacity: 1 });
    const call = line.caller.stream(60, 'payload', { metadata: { token: 'secret' }, input: [1] });
    const shown = (): string[] => [JSON.stringify({ call }), inspect(call, { depth: Infinity, showHidden: true })];
    const states = [shown()];
    const messages = call[Symbol.asyncIterator]();
    await messages.next();
    states.push(shown());
    await messages.return!();
    await expect(call.done).rejects.toMatchObject({ code: 'CANCELLED' });
    states.push(shown());
    const json = '{"call":{"peer":"http://b:9000","pattern":"60"}}';
    expect(states).toEqual(Array(3).fill([json, 'GridCall { http://b:9000, 60 }']));
  });

  it('the input of a handler is nothing', async () => {
    const seen: string[] = [];
    line.handle(60, (_payload, { input }) => void seen.push(JSON.stringify({ input })), { inCapacity: 1 });
    await collect(line.caller.stream(60, undefined, { input: [1] }));
    await line.caller.request(60);
    expect(seen).toEqual(['{"input":{}}', '{"input":{}}']);
  });

  it('a call has a JSON, and is no value for that: msgpack() refuses it as before', () => {
    line.handle(60, () => count(2));
    const call = line.caller.stream(60);
    const refused = 'cannot hold an async iterable inside of a value: it is sent when a handler gives it itself';
    expect(() => msgpack().encode({ entries: call })).toThrow(`${refused}; it stands at entries`);
    call.cancel();
  });
});
