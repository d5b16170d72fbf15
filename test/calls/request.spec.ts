import { describe, expect, it } from '@jest/globals';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { NEVER, Observable, of, throwError } from 'rxjs';
import { bytes, msgpack, type CallContext } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { CALLER, failure, HANDLER, lineForEachTest, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

const explode = (): never => {
  throw new Error('secret');
};

/** What a foreign Promise library gives. */
function thenable(then: (resolve: (value: unknown) => void) => void): unknown {
  return Object.defineProperty({}, 'then', { value: then });
}

describe('a request is answered by', () => {
  const answers: Array<[string, () => unknown, unknown]> = [
    ['a value', () => ({ free: 1 }), { free: 1 }],
    ['a Promise', () => Promise.resolve('x'), 'x'],
    ['a thenable', () => thenable((resolve) => resolve(7)), 7],
    ['an Observable', () => of(5), 5],
    ['a Promise of an Observable', () => Promise.resolve(of(6)), 6],
    [
      'an Observable of one AsyncIterable',
      () =>
        of(
          (async function* () {
            yield 8;
          })(),
        ),
      8,
    ],
    [
      'an async generator',
      async function* () {
        yield 9;
      },
      9,
    ],
    ['a Readable in object mode', () => Readable.from([{ a: 1 }]), { a: 1 }],
    ['an array, which is a value', () => [1, 2, 3], [1, 2, 3]],
    ['a string, which is a value', () => 'abc', 'abc'],
    ['a Set, which is a value', () => new Set([1]), {}],
    ['nothing', () => undefined, undefined],
    ['null, which is a value', () => null, null],
    ['an Observable that completes empty', () => of(), undefined],
    ['a generator that ends empty', async function* () {}, undefined],
  ];

  it.each(answers)('%s', async (_name, run, expected) => {
    line.handle(60, run);
    await expect(line.caller.request(60)).resolves.toEqual(expected);
    expect(line.pair.b.running).toBe(0);
  });
});

describe('a payload', () => {
  it('of undefined travels as none', async () => {
    line.handle(60, (payload) => ({ none: payload === undefined }));
    await expect(line.caller.request(60)).resolves.toEqual({ none: true });
  });

  it('of no bytes arrives as none, an answer of no bytes as an empty Buffer', async () => {
    const codec = bytes();
    line.handle(60, (payload) => payload ?? new Uint8Array(0), { codec });
    const answer = await line.caller.request(60, Buffer.alloc(0), { codec });
    expect(Buffer.isBuffer(answer)).toBe(true);
    expect(answer).toHaveLength(0);
    line.handle(61, () => undefined, { codec });
    await expect(line.caller.request(61, undefined, { codec })).resolves.toBeUndefined();
  });

  it('that cannot be encoded fails at the caller, nothing is sent', async () => {
    const payload = {
      get broken(): never {
        throw new Error('no');
      },
    };
    const error = await failure(line.caller.request(60, payload));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', notSent: true, peer: HANDLER, pattern: '60' });
    expect(line.pair.a.outgoing).toBe(0);
  });

  it('that cannot be decoded is refused before the handler runs', async () => {
    line.handle(60, () => {
      throw new Error('must not run');
    });
    const error = await failure(line.caller.request(60, Buffer.from('{'), { codec: bytes() }));
    expect(error.message).toMatch(/^the payload cannot be decoded/);
    expect(line.logged).toEqual([]);
  });

  it('that would become millions of objects fails alone', async () => {
    const tooMany = Buffer.alloc(2 ** 21, 0x80);
    tooMany[0] = 0xdd;
    tooMany.writeUInt32BE(tooMany.length - 5, 1);
    line.handle(60, explode, { codec: msgpack() });
    line.handle(61, () => 'fine');
    const failed = failure(line.caller.request(60, tooMany, { codec: bytes() }));
    expect(await line.caller.request(61)).toBe('fine');
    const message = expect.stringContaining('more than 1048576 maps, arrays, byte arrays and extensions');
    expect(await failed).toMatchObject({ code: 'INVALID_ARGUMENT', message, remote: true });
  });

  it('of the answer that cannot be decoded is INTERNAL', async () => {
    line.handle(60, () => Buffer.from('{'), { codec: bytes() });
    const error = await failure(line.caller.request(60));
    expect(error).toMatchObject({ code: 'INTERNAL', peer: HANDLER, pattern: '60' });
  });
});

describe('a handler that', () => {
  const bad: Array<[string, () => unknown]> = [
    [
      'throws',
      () => {
        throw new Error('secret');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret'))],
    [
      'throws a string',
      () => {
        throw 'secret';
      },
    ],
    [
      'throws undefined',
      () => {
        throw undefined;
      },
    ],
    [
      'throws an object whose getters throw',
      () => {
        throw {
          get message(): never {
            throw new Error('secret');
          },
        };
      },
    ],
    ['rejects with null', () => Promise.reject(null)],
    ['gives an Observable that errors', () => throwError(() => new Error('secret'))],
    [
      'gives an Observable whose subscription throws',
      () =>
        new Observable(() => {
          throw new Error('secret');
        }),
    ],
    [
      'gives a generator that throws',
      async function* () {
        throw new Error('secret');
      },
    ],
    [
      'gives a generator that throws after its value',
      async function* () {
        yield 1;
        throw new Error('secret');
      },
    ],
    [
      'gives a generator that throws in finally',
      async function* () {
        try {
          yield 1;
        } finally {
          explode();
        }
      },
    ],
    [
      'gives an iterable without an iterator',
      () => ({
        [Symbol.asyncIterator]: () => {
          throw new Error('secret');
        },
      }),
    ],
    [
      'gives an iterator whose next throws',
      () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            throw new Error('secret');
          },
        }),
      }),
    ],
    [
      'gives an iterator that gives nothing',
      () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined) }) }),
    ],
    [
      'gives a value that cannot be encoded',
      () => ({
        get broken(): never {
          throw new Error('secret');
        },
      }),
    ],
    ['gives a value with a getter for then that throws', () => Object.defineProperty({}, 'then', { get: explode })],
    ['gives a Promise of what cannot be encoded', () => Promise.resolve(1n)],
    ['gives a Readable of a missing file', () => createReadStream('/nowhere/at/all')],
  ];

  it.each(bad)('%s fails that one call', async (_name, run) => {
    line.handle(60, run);
    line.handle(61, () => 'alive');
    const error = await failure(line.caller.request(60));
    expect(error).toMatchObject({ message: 'Internal server error', remote: true, peer: HANDLER, pattern: '60' });
    expect(line.logged).toHaveLength(1);
    expect(line.pair.b.running).toBe(0);
    await expect(line.caller.request(61)).resolves.toBe('alive');
  });

  it('throws a GridError gives its text away', async () => {
    line.handle(60, () => {
      throw new GridError('NOT_FOUND', 'no such disk');
    });
    const error = await failure(line.caller.request(60));
    expect(error).toMatchObject({ message: 'no such disk', remote: true, notSent: false });
    expect(line.logged).toEqual([]);
  });

  it('has an errorMapper answers with what that makes; one that fails itself is logged', async () => {
    line.handle(
      60,
      () => {
        throw 'x';
      },
      { errorMapper: (thrown) => new GridError('ABORTED', `mapped ${String(thrown)}`) },
    );
    line.handle(
      61,
      () => {
        throw 'x';
      },
      {
        errorMapper: () => {
          throw new Error('mapper');
        },
      },
    );
    expect((await failure(line.caller.request(60))).message).toBe('mapped x');
    expect((await failure(line.caller.request(61))).message).toBe('Internal server error');
    expect(line.logged.join()).toContain('errorMapper failed');
  });

  it('gives a second value is a stream', async () => {
    let torn = false;
    line.handle(
      60,
      () =>
        new Observable((subscriber) => {
          subscriber.next(1);
          subscriber.next(2);
          return () => {
            torn = true;
          };
        }),
    );
    line.handle(61, async function* () {
      try {
        yield 1;
        yield 2;
        yield 3;
      } finally {
        torn = true;
      }
    });
    for (const id of [60, 61]) {
      torn = false;
      const error = await failure(line.caller.request(id));
      expect(error.message).toBe('streams: call stream()');
      await line.pair.settle();
      expect(torn).toBe(true);
    }
  });

  it('is for streams only is not run for a request', async () => {
    line.handle(
      60,
      () => {
        throw new Error('must not run');
      },
      { kind: 'stream' },
    );
    const error = await failure(line.caller.request(60));
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', message: 'streams: call stream()', notSent: true });
  });

  it('is not there is UNIMPLEMENTED, naming pattern and peer', async () => {
    const error = await failure(line.caller.request({ id: 60, subroute: ['disk1', 'x'] }));
    expect(error).toMatchObject({
      code: 'UNIMPLEMENTED',
      message: expect.stringMatching(
        `^Invalid Handler for type: 3c00[0-9a-f]{60}: ${HANDLER} has no handler for 60/disk1/x$`,
      ),
      notSent: true,
      peer: HANDLER,
      pattern: '60/disk1/x',
    });
  });

  it('is not there for a text where the number was meant: the error says which it was', async () => {
    line.handle(60, () => 'by its ID');
    expect(await line.caller.request(60)).toBe('by its ID');
    expect(await failure(line.caller.request('60'))).toMatchObject({
      code: 'UNIMPLEMENTED',
      message: expect.stringMatching(`${HANDLER} has no handler for the text '60': a handler ID is a number$`),
      pattern: '60',
    });
  });
});

describe('the context', () => {
  it('tells who called what, until when', async () => {
    line.handle({ id: 60, subroute: 'disk1' }, (_payload, context) => ({
      peer: context.peer,
      handlerId: context.handlerId,
      subroute: context.subroute,
      pattern: context.pattern,
      leftMs: context.deadline!.getTime() - line.clock.date(),
      metadata: context.getMetadata(),
    }));
    await expect(line.caller.subroute('disk1').request(60, undefined, { timeoutMs: 500 })).resolves.toEqual({
      peer: CALLER,
      handlerId: 60,
      subroute: 'disk1',
      pattern: '60/disk1',
      leftMs: 500,
      metadata: {},
    });
  });

  it('aborts its signal on cancel, on the deadline and on loss, with the reason', async () => {
    const reasons: Promise<GridError>[] = [];
    line.handle(60, (_payload, { signal }) => {
      const reason = new Promise<GridError>((resolve) =>
        signal.addEventListener('abort', () => resolve(signal.reason as GridError)),
      );
      reasons.push(reason);
      return reason;
    });
    const cancel = new AbortController();
    const cancelled = failure(line.caller.request(60, undefined, { signal: cancel.signal }));
    const late = failure(line.caller.request(60, undefined, { timeoutMs: 10 }));
    const lost = failure(line.caller.request(60));
    await line.pair.settle();
    cancel.abort();
    expect((await cancelled).code).toBe('CANCELLED');
    await line.pair.settle();
    line.clock.advance(10);
    expect((await late).code).toBe('DEADLINE_EXCEEDED');
    line.pair.cut();
    expect((await lost).reason).toBe('disconnected');
    const codes = (await Promise.all(reasons)).map((reason) => reason.code);
    expect(codes).toEqual(['CANCELLED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE']);
    await line.pair.settle();
    expect(line.pair.b.running).toBe(0);
  });

  it('has an aborted signal for who asks late', async () => {
    const entered = signalled<CallContext>();
    const end = signalled();
    line.handle(60, (_payload, context) => {
      entered.resolve(context);
      return end.promise;
    });
    const cancel = new AbortController();
    const answer = failure(line.caller.request(60, undefined, { signal: cancel.signal }));
    const context = await entered.promise;
    cancel.abort();
    await answer;
    await line.pair.settle();
    expect(context.signal.aborted).toBe(true);
    expect(line.pair.b.running).toBe(1);
    end.resolve();
    await line.pair.settle();
    expect(line.pair.b.running).toBe(0);
  });

  it('unsubscribes, returns and destroys what a cancelled request was waiting for', async () => {
    const torn: string[] = [];
    const readable = new Readable({
      objectMode: true,
      read() {},
      destroy(_error, done) {
        torn.push('readable');
        done(null);
      },
    });
    line.handle(
      60,
      () =>
        new Observable(() => () => {
          torn.push('observable');
        }),
    );
    line.handle(61, () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          torn.push('iterator');
          return new Promise(() => {});
        },
      }),
    }));
    line.handle(62, () => readable);
    line.handle(63, () => NEVER);
    const cancel = new AbortController();
    const calls = [60, 61, 62, 63].map((id) => failure(line.caller.request(id, undefined, { signal: cancel.signal })));
    await line.pair.settle();
    cancel.abort();
    await Promise.all(calls);
    await line.pair.settle();
    expect(torn.sort()).toEqual(['iterator', 'observable', 'readable']);
    // the return() that never settles is code that still runs
    expect(line.pair.b.running).toBe(1);
    expect(line.logged).toEqual([]);
  });

  it('a handler that fails because it was aborted is not logged', async () => {
    line.handle(
      60,
      (_payload, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')));
        }),
    );
    const answer = failure(line.caller.request(60, undefined, { timeoutMs: 5 }));
    await line.pair.settle();
    line.clock.advance(5);
    await answer;
    await line.pair.settle();
    expect(line.logged).toEqual([]);
    expect(line.pair.b.running).toBe(0);
  });
});
