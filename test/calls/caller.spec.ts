import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, from, lastValueFrom, of, Subject, take, toArray } from 'rxjs';
import {
  bytes,
  defineRequest,
  defineStream,
  json,
  type CallContext,
  type CallOptions,
  type Codec,
  type Pattern,
} from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { silentCalls } from '../../lib/observe/index.js';
import { collect, failure, gridLine, HANDLER, lineForEachTest, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

async function* count(to = Infinity): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
}

const never = (): Promise<never> => new Promise(() => {});

describe('options of a call', () => {
  const date = (ms: number): Date => new Date(line.clock.date() + ms);

  it('the earliest of timeoutMs, deadline and the parent counts', async () => {
    line.handle(60, (_payload, context) => context.deadline!.getTime() - line.clock.date());
    const parent = { signal: new AbortController().signal, deadline: date(300) };
    const left = (options: CallOptions): Promise<unknown> => line.caller.request(60, undefined, options);
    await expect(left({})).resolves.toBe(60_000);
    await expect(left({ timeoutMs: 100, deadline: date(200) })).resolves.toBe(100);
    await expect(left({ timeoutMs: 250, deadline: date(200) })).resolves.toBe(200);
    await expect(left({ timeoutMs: 250, deadline: date(500), parent })).resolves.toBe(250);
    await expect(left({ timeoutMs: 900, parent })).resolves.toBe(300);
  });

  it('no time left fails at once, nothing is sent', async () => {
    const parent = { signal: new AbortController().signal, deadline: date(-1) };
    for (const options of [{ timeoutMs: 0 }, { timeoutMs: 0.5 }, { deadline: date(0) }, { parent }]) {
      const error = await failure(line.caller.request(60, undefined, options));
      expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', notSent: true, peer: HANDLER, pattern: '60' });
      expect((await failure(line.caller.stream(60, undefined, options).done)).code).toBe('DEADLINE_EXCEEDED');
    }
    await line.pair.settle();
    expect(line.pair.aToB.delivered).toHaveLength(0);
  });

  it('one millisecond is enough to be asked for, and none is cut off', async () => {
    line.handle(60, () => 'in time');
    for (const timeoutMs of [1, 1.5]) {
      await expect(line.caller.request(60, undefined, { timeoutMs })).resolves.toBe('in time');
      await expect(collect(line.caller.stream(60, undefined, { timeoutMs }))).resolves.toEqual(['in time']);
    }
    const asked = line.pair.aToB.delivered.filter(({ deadlineMs }) => deadlineMs > 0);
    expect(asked.map(({ deadlineMs }) => deadlineMs)).toEqual([1, 1, 2, 2]);
  });

  it("a call made inside a handler inherits its whole trace, and no other of its caller's metadata", async () => {
    line.handle(61, (_payload, context) => context.getMetadata());
    const { signal } = new AbortController();
    const trace = { traceparent: '00-1-2-01', tracestate: 'a=b', baggage: 'user=ann' };
    const inside = (metadata: Record<string, string>): Promise<unknown> => {
      const parent = { signal, deadline: undefined, getMetadata: () => metadata };
      return line.caller.request(61, undefined, { parent });
    };
    expect(await inside({ ...trace, tenant: 'a' })).toEqual(trace);
    // nothing of a trace without its parent
    expect(await inside({ baggage: 'user=ann', tracestate: 'a=b' })).toEqual({});
  });

  it('a capacity that cannot travel is INVALID_ARGUMENT, that of a contract too', async () => {
    const tooMany = 2 ** 32;
    for (const capacity of [{ outCapacity: tooMany }, { inCapacity: tooMany }]) {
      const define = () => defineStream<void, number, number>({ id: 61, name: 'walk', inCapacity: 1, ...capacity });
      expect(define).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    }
    const calls = [
      () => line.caller.stream(61, undefined, { inCapacity: tooMany }),
      () => line.caller.stream(61, undefined, { outCapacity: tooMany }),
    ];
    for (const call of calls) {
      expect(call).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', notSent: true }));
    }
    await line.pair.settle();
    expect(line.pair.aToB.delivered).toHaveLength(0);
  });

  it('what is no time or no signal is INVALID_ARGUMENT', async () => {
    const signal = new AbortController() as never;
    const wrong: CallOptions[] = [{ timeoutMs: NaN }, { timeoutMs: -1 }, { timeoutMs: '5' as never }];
    wrong.push({ deadline: Date.now() as never }, { deadline: null as never });
    wrong.push({ deadline: new Date(NaN) }, { signal }, { parent: { signal, deadline: undefined } });
    for (const options of wrong) {
      expect(await failure(line.caller.request(60, undefined, options))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        notSent: true,
      });
      expect(() => line.caller.stream(60, undefined, options)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    }
  });

  it('metadata travels there and back where the peer carries it, else the call fails locally', async () => {
    line = gridLine({ extensions: ['capacity', 'cancel', 'upgrade'] });
    const plain = await failure(line.caller.request(60, undefined, { metadata: { a: 'b' } }));
    expect(plain).toMatchObject({ code: 'FAILED_PRECONDITION', notSent: true });
    line = gridLine({ extensions: ['capacity', 'cancel', 'upgrade', 'meta', 'error'] });
    const answer = (payload: unknown, context: CallContext): unknown => {
      context.setResponseMetadata('seen', context.getMetadata()['a'] ?? 'nothing');
      if (payload === 'fail') throw new GridError('ABORTED', 'no', { details: { why: 1 } });
      return payload;
    };
    line.handle(60, answer);
    line.handle(61, (payload, context) => {
      answer(payload, context);
      return from([1, 2]);
    });
    line.handle(
      62,
      (_payload, context) => {
        seen.push(context.getMetadata());
      },
      { kind: 'event' },
    );
    const seen: unknown[] = [];
    const options = {
      metadata: { a: 'b' },
      onMetadata: (metadata: unknown) => {
        seen.push(metadata);
      },
    };
    await expect(line.caller.request(60, 'x', options)).resolves.toBe('x');
    await expect(failure(line.caller.request(60, 'fail', options))).resolves.toMatchObject({
      code: 'ABORTED',
      details: { why: 1 },
    });
    await expect(collect(line.caller.stream(60, 'x', options))).resolves.toEqual(['x']);
    await expect(failure(line.caller.stream(60, 'fail', options).done)).resolves.toMatchObject({ code: 'ABORTED' });
    await expect(firstValueFrom(line.caller.send(60, 'x', options))).resolves.toBe('x');
    await expect(lastValueFrom(line.caller.send(61, 'x', options))).resolves.toBe(2);
    expect(seen).toEqual(Array.from({ length: 6 }, () => ({ seen: 'b' })));
    await line.caller.emit(62, undefined, { metadata: { a: 'c' } });
    expect(seen.at(-1)).toEqual({ a: 'c' });
    await line.caller.request(60, 'x', { metadata: {} });
    const wrong = { metadata: { a: 5 as never } };
    expect((await failure(line.caller.request(60, 'x', wrong))).message).toBe('metadata "a" must be a string');
  });

  it('a signal is listened to once, however many calls it cancels, and let go when they are over', async () => {
    line.handle(60, () => 1);
    line.handle(61, never);
    const controller = new AbortController();
    const { signal } = controller;
    const listeners = (): number => getEventListeners(signal, 'abort').length;
    const quick = Array.from({ length: 20 }, () => line.caller.request(60, undefined, { signal }));
    expect(listeners()).toBe(1);
    await Promise.all(quick);
    expect(listeners()).toBe(0);
    const slow = Array.from({ length: 20 }, () =>
      failure(line.caller.request(61, undefined, { signal, parent: { signal, deadline: undefined } })),
    );
    const streams = Array.from({ length: 20 }, () => failure(line.caller.stream(61, undefined, { signal }).done));
    // Node warns of more than ten
    expect(listeners()).toBe(1);
    controller.abort(new Error('why'));
    for (const call of [...slow, ...streams]) {
      expect(await call).toMatchObject({ code: 'CANCELLED', peer: HANDLER, cause: { message: 'why' } });
    }
    expect(listeners()).toBe(0);
    const late = await failure(line.caller.request(60, undefined, { signal }));
    expect(late).toMatchObject({ code: 'CANCELLED', notSent: true });
    await line.pair.settle();
    expect(listeners()).toBe(0);
  });

  it('a signal that aborts while the call is being made cancels it', async () => {
    line.handle(60, () => new Promise(() => {}));
    line.handle(61, () => new Promise(() => {}), { kind: 'stream', inCapacity: 4 });
    const aborting = (controller: AbortController): object => ({ toJSON: () => controller.abort() ?? 1 });
    const [asked, sent, fed] = [1, 2, 3].map(() => new AbortController()) as [
      AbortController,
      AbortController,
      AbortController,
    ];
    const input = (function* () {
      fed.abort();
      yield 1;
    })();
    const calls = [
      failure(line.caller.request(60, aborting(asked), { signal: asked.signal })),
      failure(lastValueFrom(line.caller.send(60, aborting(sent), { signal: sent.signal }))),
      failure(line.caller.stream(61, undefined, { input, inCapacity: 4, signal: fed.signal }).done),
    ];
    await line.pair.settle();
    expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED']);
    expect(line.pair.a.outgoing).toBe(0);
  });

  it("a timeout's signal is DEADLINE_EXCEEDED, the parent's signal cancels", async () => {
    line.handle(60, never);
    const own = new AbortController();
    const outer = new AbortController();
    const options = { signal: own.signal, parent: { signal: outer.signal, deadline: undefined } };
    const timed = failure(line.caller.request(60, undefined, options));
    own.abort(new DOMException('', 'TimeoutError'));
    expect((await timed).code).toBe('DEADLINE_EXCEEDED');
    const inherited = failure(line.caller.request(60, undefined, { parent: options.parent }));
    outer.abort(new GridError('UNAVAILABLE', 'lost'));
    expect((await inherited).code).toBe('CANCELLED');
  });
});

describe('the line', () => {
  const down = (): never => {
    throw new GridError('UNAVAILABLE', 'not connected', { reason: 'not-connected', notSent: true });
  };

  it('that is not there fails each kind of call at once', async () => {
    line = gridLine({}, { line: down });
    const expected = { code: 'UNAVAILABLE', reason: 'not-connected', notSent: true, peer: HANDLER, pattern: '60' };
    const call = line.caller.stream(60, undefined, { input: count(), inCapacity: 1 });
    expect(await failure(line.caller.request(60))).toMatchObject(expected);
    expect(await failure(line.caller.emit(60))).toMatchObject(expected);
    expect(await failure(firstValueFrom(line.caller.send(60)))).toMatchObject(expected);
    expect(await failure(call.done)).toMatchObject(expected);
    expect(await failure(collect(call))).toMatchObject(expected);
    expect(await failure(call.write(1))).toMatchObject(expected);
    expect(await failure(firstValueFrom(call.toObservable()))).toMatchObject(expected);
    expect(await failure(collect(call.toReadable()))).toMatchObject(expected);
    call.end();
    call.cancel();
  });

  it.each([
    ['that is there, of a call that was cancelled', {}],
    ['that is not there', { line: down }],
  ])('%s, makes the same iterator: it tells the error once, and can be returned and iterated', async (_, ports) => {
    line = gridLine({}, ports);
    const opened = (): AsyncIterableIterator<unknown> => {
      const call = line.caller.stream(60);
      call.cancel();
      return call[Symbol.asyncIterator]() as AsyncIterableIterator<unknown>;
    };
    const asked = opened();
    const settled = await Promise.allSettled([asked.next(), asked.next(), asked.return!()]);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(await opened().return!()).toEqual({ done: true, value: undefined });
    expect(await failure(collect(opened()))).toMatchObject({ peer: HANDLER, pattern: '60' });
  });

  it('that is not there leaves no input open', async () => {
    line = gridLine({}, { line: down });
    const log: string[] = [];
    const iterator = { next: async () => ({ done: true, value: undefined }), return: () => log.push('returned') };
    const begin = (): unknown => (log.push('begun'), iterator);
    const inputs = [{ [Symbol.asyncIterator]: begin }, { [Symbol.iterator]: begin }] as AsyncIterable<unknown>[];
    for (const input of inputs) await failure(line.caller.stream(60, undefined, { input, inCapacity: 1 }).done);
    expect(log).toEqual(['begun', 'returned', 'begun', 'returned']);
  });

  it('what cannot be called as a stream leaves no input open, and is counted where it has a handler', async () => {
    const refused: string[] = [];
    const callsOf = (_direction: string, kind: string) => ({
      ...silentCalls,
      refused: (code: string) => void refused.push(`${kind} ${code}`),
    });
    line = gridLine({}, { observer: { callsOf } });
    const request = defineRequest({ id: 9, name: 'disk.info' }) as unknown as Pattern;
    for (const to of [request, 0]) {
      const input = new Readable({ objectMode: true, read() {} });
      expect(() => line.caller.stream(to, undefined, { input, inCapacity: 1 })).toThrow(GridError);
      expect(input.destroyed).toBe(true);
    }
    expect(refused).toEqual(['stream INVALID_ARGUMENT']);
  });

  it('that is not there or is, a payload that cannot be encoded is told at once, and the input not begun', () => {
    const begun: string[] = [];
    const input = { [Symbol.iterator]: () => (begun.push('begun'), [][Symbol.iterator]()) };
    for (const ports of [{ line: down }, {}]) {
      line = gridLine({}, ports);
      expect(() => line.caller.stream(60, () => {}, { input, inCapacity: 1 })).toThrow('codec json() cannot hold');
    }
    expect(begun).toEqual([]);
  });

  it.each([
    ['Promise', async () => Buffer.from('x')],
    ['String', JSON.stringify],
    ['Null', () => null],
    ['Undefined', () => undefined],
    ['Object', () => ({ length: 3 })],
    ['Uint16Array', () => new Uint16Array(3)],
    ['DataView', () => new DataView(new ArrayBuffer(3))],
  ])('a codec that gives a %s fails its own call, and says why', async (name, encode) => {
    line = gridLine();
    const codec = { ...json(), encode: encode as unknown as Codec['encode'] };
    const text = `encode() of the codec must give a Uint8Array, not ${name}`;
    line.handle(60, (payload) => payload);
    line.handle(61, () => 'answer', { codec });
    line.handle(62, () => of('message'), { codec, kind: 'stream' });
    const expected = { code: 'INVALID_ARGUMENT', message: text, notSent: true };
    expect(await failure(line.caller.request(60, 'x', { codec }))).toMatchObject(expected);
    expect(() => line.caller.stream(60, 'x', { codec })).toThrow(text);
    const written = line.caller.stream(60, undefined, { codec, inCapacity: 1 });
    expect((await failure(written.write('x'))).message).toBe(text);
    written.cancel();
    for (const answer of [line.caller.request(61), collect(line.caller.stream(62))]) {
      expect((await failure(answer)).code).toBe('INTERNAL');
    }
    expect(line.logged).toEqual([expect.stringContaining(text), expect.stringContaining(text)]);
    expect(await line.caller.request(60, 'innocent')).toBe('innocent');
  });

  it('that takes no such payload refuses that call only', async () => {
    line = gridLine({ limits: { messageBytes: 100 } });
    const codec = bytes();
    line.handle(60, () => Buffer.alloc(101), { codec });
    line.handle(
      61,
      async function* () {
        yield Buffer.alloc(1);
        yield Buffer.alloc(101);
      },
      { codec },
    );
    line.handle(62, never, { codec, inCapacity: 4 });
    const big = Buffer.alloc(101);
    expect(await failure(line.caller.request(60, big, { codec }))).toMatchObject({
      code: 'OUT_OF_RANGE',
      notSent: true,
    });
    expect((await failure(line.caller.request(60, undefined, { codec }))).message).toContain('101 bytes');
    expect((await failure(collect(line.caller.stream(61, undefined, { codec })))).message).toContain('101 bytes');
    const call = line.caller.stream(62, undefined, { codec, inCapacity: 4 });
    await call.write(Buffer.alloc(1));
    expect((await failure(call.write(big))).code).toBe('OUT_OF_RANGE');
    expect((await failure(call.done)).code).toBe('OUT_OF_RANGE');
    await line.pair.settle();
  });
});

describe('what is called', () => {
  it('may be a contract, with its own codec and capacities', async () => {
    const Info = defineRequest<{ a: number }, string>({ id: 9, name: 'disk.info' });
    const Walk = defineStream<void, never, number>({ id: 7, name: 'walk.dir', outCapacity: 2 });
    line.handle(9, (payload) => JSON.stringify(payload));
    line.handle(7, () => count(5), { outCapacity: 2 });
    await expect(line.caller.request(Info, { a: 1 })).resolves.toBe('{"a":1}');
    await expect(collect(line.caller.stream(Walk))).resolves.toEqual([0, 1, 2, 3, 4]);
    expect(await failure(line.caller.request(Walk))).toMatchObject({ code: 'INVALID_ARGUMENT', pattern: 'walk.dir' });
    expect(() => line.caller.stream(Info)).toThrow('disk.info is a request: call request()');
  });

  it('that is no pattern is INVALID_ARGUMENT', async () => {
    for (const pattern of [
      0,
      254,
      1.5,
      NaN,
      { id: 255 },
      '',
      { id: 1, subroute: '' },
      { id: 1, subroute: ['a', ''] },
      null as never,
    ]) {
      expect(await failure(line.caller.request(pattern))).toMatchObject({ code: 'INVALID_ARGUMENT', peer: HANDLER });
      expect(() => line.caller.stream(pattern)).toThrow(GridError);
    }
    expect(() => line.caller.subroute('a', '')).toThrow(GridError);
  });

  it('may be any Nest pattern, whatever the order of its keys', async () => {
    line.handle({ cmd: 'sum', v: 1 }, () => 'object');
    line.handle('sum', () => 'string');
    line.handle('60', () => 'not sixty');
    line.handle(60, () => 'sixty');
    await expect(line.caller.request({ v: 1, cmd: 'sum' })).resolves.toBe('object');
    await expect(line.caller.request('sum')).resolves.toBe('string');
    await expect(line.caller.request('60')).resolves.toBe('not sixty');
    await expect(line.caller.request(60)).resolves.toBe('sixty');
  });

  it('is reached under a prefix only with it', async () => {
    line.handle({ id: 60, subroute: ['disk1', 'a'] }, () => 'under');
    await expect(line.caller.subroute('disk1').subroute('a').request(60)).resolves.toBe('under');
    await expect(line.caller.subroute('disk1').request({ id: 60, subroute: 'a' })).resolves.toBe('under');
    expect((await failure(line.caller.request(60))).code).toBe('UNIMPLEMENTED');
  });
});

describe('a stream call', () => {
  it('gives its messages to one reader', async () => {
    line.handle(60, () => count(3));
    const call = line.caller.stream(60);
    await expect(collect(call)).resolves.toEqual([0, 1, 2]);
    expect(() => call[Symbol.asyncIterator]()).toThrow('one reader');
    expect(() => call.toReadable()).toThrow('one reader');
    expect((await failure(firstValueFrom(call.toObservable()))).message).toContain('one reader');
    await expect(call.done).resolves.toBeUndefined();
  });

  it('delivers what had arrived before an error', async () => {
    line.handle(60, async function* () {
      yield 1;
      yield 2;
      await never();
    });
    const call = line.caller.stream(60);
    await line.pair.settle();
    line.pair.cut();
    const reader = call[Symbol.asyncIterator]();
    await expect(reader.next()).resolves.toStrictEqual({ done: false, value: 1 });
    await expect(reader.next()).resolves.toStrictEqual({ done: false, value: 2 });
    expect((await failure(reader.next())).reason).toBe('disconnected');
    await expect(reader.next()).resolves.toStrictEqual({ done: true, value: undefined });
  });

  it('serves several next() in order', async () => {
    const values = new Subject<number>();
    line.handle(60, () => values);
    const reader = line.caller.stream(60)[Symbol.asyncIterator]();
    await line.pair.settle();
    const asked = [reader.next(), reader.next(), reader.next(), reader.next()];
    values.next(1);
    values.next(2);
    await line.pair.settle();
    values.complete();
    const results = await Promise.all(asked);
    expect(results.map((result) => result.value as unknown)).toEqual([1, 2, undefined, undefined]);
  });

  it('ends with a message that cannot be decoded', async () => {
    line.handle(60, () => Buffer.from('{'), { codec: bytes() });
    const call = line.caller.stream(60);
    expect((await failure(collect(call))).code).toBe('INTERNAL');
    const other = line.caller.stream(60);
    expect((await failure(lastValueFrom(other.toObservable()))).code).toBe('INTERNAL');
  });

  it('is cancelled by a break, and by its observer or Readable that leaves', async () => {
    let returned = 0;
    line.handle(
      60,
      async function* () {
        try {
          yield* count();
        } finally {
          returned++;
        }
      },
      { outCapacity: 2 },
    );
    const broken = line.caller.stream(60);
    for await (const message of broken) if (message === 3) break;
    const observed = line.caller.stream(60);
    await expect(lastValueFrom(observed.toObservable().pipe(take(3), toArray()))).resolves.toEqual([0, 1, 2]);
    const read = line.caller.stream(60);
    for await (const message of read.toReadable()) if (message === 3) break;
    const unread = line.caller.stream(60);
    await line.pair.settle();
    unread.toReadable().destroy();
    for (const call of [broken, observed, read, unread]) expect((await failure(call.done)).code).toBe('CANCELLED');
    await line.pair.settle();
    expect(returned).toBe(4);
    expect(line.pair.b.running).toBe(0);
  });

  it('as a Readable takes no more than it wants', async () => {
    let pulled = 0;
    line.handle(
      60,
      async function* () {
        for (;;) yield pulled++;
      },
      { outCapacity: 2 },
    );
    const readable = line.caller.stream(60).toReadable();
    readable.once('data', () => readable.pause());
    await line.pair.settle();
    await line.pair.settle();
    expect(pulled).toBeLessThan(8);
    readable.destroy(new Error('mine'));
    await expect(finished(readable)).rejects.toThrow('mine');
  });

  it('as a Readable ends with an error at a message of null, for it cannot hold one', async () => {
    line.handle(60, async function* () {
      yield 1;
      yield null;
      yield 2;
    });
    const error = await failure(collect(line.caller.stream(60).toReadable()));
    expect(error).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('null'), pattern: '60' });
    await line.pair.settle();
    expect(line.pair.b.running).toBe(0);
    await expect(collect(line.caller.stream(60))).resolves.toEqual([1, null, 2]);
  });

  it('as an Observable is cold, once', async () => {
    line.handle(60, () => count(3));
    const messages = line.caller.stream(60).toObservable();
    await expect(lastValueFrom(messages.pipe(toArray()))).resolves.toEqual([0, 1, 2]);
    await expect(lastValueFrom(messages)).rejects.toThrow('one reader');
  });

  // jest fails a test in whose time a rejection is left unhandled
  it('nobody looks at makes no unhandled rejection', async () => {
    line.handle(
      60,
      () => {
        throw new GridError('ABORTED', 'no');
      },
      { inCapacity: 1 },
    );
    const call = line.caller.stream(60, undefined, { inCapacity: 1 });
    void call.write(1);
    void call.write(2);
    await line.pair.settle();
    void call.write(3);
    await line.pair.settle();
    await expect(call.done).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
