// An application may use its memory again as soon as a value is given: what waits has bytes of its own.
import { describe, expect, it } from '@jest/globals';
import { lastValueFrom, Observable, Subject, toArray } from 'rxjs';
import { bytes, json, msgpack, type Codec } from '../../lib/calls/index.js';
import { turn } from '../turn.js';
import { collect, failure, lineForEachTest, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => (line = fresh));

/** One byte array that is given again and again, holding 0, 1, 2, … */
const reused = (count: number): Observable<Uint8Array> =>
  new Observable((subscriber) => {
    const memory = Buffer.alloc(1);
    for (let i = 0; i < count; i++) {
      memory[0] = i;
      subscriber.next(memory);
    }
    subscriber.complete();
  });

function* reusedByPull(count: number): Generator<Uint8Array> {
  const memory = Buffer.alloc(1);
  for (let i = 0; i < count; i++) {
    memory[0] = i;
    yield memory;
  }
}

/** A codec of the application with one buffer. */
function oneBuffer(): Codec<number> {
  const memory = Buffer.alloc(1);
  return {
    encode: (value) => {
      memory[0] = value;
      return memory;
    },
    decode: (payload) => payload[0]!,
  };
}

const first = (messages: readonly unknown[]): unknown[] => messages.map((message) => (message as Uint8Array)[0]);
const ALL = [0, 1, 2, 3, 4, 5];

describe('memory that is used again while values wait for credit', () => {
  it('by an Observable of a handler', async () => {
    line.handle(60, () => reused(6), { codec: bytes(), outCapacity: 2 });
    expect(first(await collect(line.caller.stream(60, undefined, { codec: bytes() })))).toEqual(ALL);
  });

  it('by the codec of a handler', async () => {
    const codec = oneBuffer() as Codec;
    const numbers = new Observable<number>((subscriber) => {
      for (const i of ALL) subscriber.next(i);
      subscriber.complete();
    });
    line.handle(60, () => numbers, { codec, outCapacity: 2 });
    expect(await collect(line.caller.stream(60, undefined, { codec }))).toEqual(ALL);
  });

  it('by the codec of a call whose input makes another one as it is begun', async () => {
    const codec = oneBuffer() as Codec;
    line.handle(60, (payload) => payload, { codec, inCapacity: 1 });
    const begun = (): AsyncIterator<number> => {
      void line.caller.request(60, 9, { codec });
      return { next: async () => ({ done: true, value: undefined }) };
    };
    const input = { [Symbol.asyncIterator]: begun };
    expect(await collect(line.caller.stream(60, 5, { codec, input }))).toEqual([5]);
  });

  it('while the connection is congested', async () => {
    const run = (): unknown => ((line.pair.bToA.congested = true), reused(6));
    line.handle(60, run, { codec: bytes(), kind: 'stream' });
    const call = line.caller.stream(60, undefined, { codec: bytes() });
    await turn();
    line.pair.bToA.drain();
    expect(first(await collect(call))).toEqual(ALL);
  });

  it.each([
    ['an Observable', () => reused(6)],
    ['a generator, which is pulled one value ahead', () => reusedByPull(6)],
  ])('by input: %s', async (_, input) => {
    const seen: unknown[] = [];
    line.handle(
      62,
      async (_payload, context) => {
        for await (const message of context.input) {
          await turn();
          seen.push((message as Uint8Array)[0]);
        }
      },
      { kind: 'stream', codec: bytes(), inCapacity: 2 },
    );
    await line.caller.stream(62, undefined, { codec: bytes(), inCapacity: 2, input: input() }).done;
    expect(seen).toEqual(ALL);
  });

  it('by write() that is not awaited', async () => {
    const seen: unknown[] = [];
    line.handle(
      62,
      async (_payload, context) => {
        for await (const message of context.input) seen.push((message as Uint8Array)[0]);
      },
      { kind: 'stream', codec: bytes(), inCapacity: 2 },
    );
    const call = line.caller.stream(62, undefined, { codec: bytes(), inCapacity: 2 });
    const memory = Buffer.alloc(1);
    for (const i of ALL) {
      memory[0] = i;
      void call.write(memory);
    }
    call.end();
    await call.done;
    expect(seen).toEqual(ALL);
  });
});

describe('the first value of an Observable, which is held until it is known whether more will come', () => {
  const rows = (count: number): Observable<{ i: number }> =>
    new Observable((subscriber) => {
      const row = { i: 0 };
      for (; row.i < count; row.i++) subscriber.next(row);
      subscriber.complete();
    });

  it.each([
    ['json()', json()],
    ['msgpack()', msgpack()],
  ])('is what it was when it was given: send(), %s', async (_, codec) => {
    line.handle(60, (count) => rows(count as number), { codec });
    const sent = (count: number): Promise<unknown> =>
      lastValueFrom(line.caller.send(60, count, { codec }).pipe(toArray()));
    expect(await sent(4)).toEqual([{ i: 0 }, { i: 1 }, { i: 2 }, { i: 3 }]);
    expect(await sent(1)).toEqual([{ i: 0 }]);
    expect(await line.caller.request(60, 1, { codec })).toEqual({ i: 0 });
  });

  it('also of a codec that only passes bytes on, where others are answered before it is', async () => {
    const subject = new Subject<Uint8Array>();
    const codec = bytes();
    line.handle(60, () => subject, { codec });
    line.handle(61, () => 'answered first');
    const sent = lastValueFrom(line.caller.send(60, undefined, { codec }).pipe(toArray()));
    const other = line.caller.request(61);
    await line.pair.settle();
    const memory = Buffer.from([1]);
    subject.next(memory);
    memory[0] = 2;
    expect(await other).toBe('answered first');
    subject.next(memory);
    memory[0] = 3;
    subject.complete();
    expect(first((await sent) as unknown[])).toEqual([1, 2]);
  });

  it('whose code gives another value while it is encoded: that one comes first, and each once', async () => {
    let subject = new Subject<unknown>();
    line.handle(60, () => (subject = new Subject()));
    const giving = (...inner: string[]): object => ({
      toJSON: () => (inner.forEach((value) => subject.next(value)), 'outer'),
    });
    for (const inner of [['a'], ['a', 'b']]) {
      const sent = lastValueFrom(line.caller.send(60).pipe(toArray()));
      await line.pair.settle();
      subject.next(giving(...inner));
      subject.next('last');
      subject.complete();
      expect(await sent).toEqual([...inner, 'outer', 'last']);
    }
    const asked = failure(line.caller.request(60));
    await line.pair.settle();
    subject.next(giving('a'));
    expect(await asked).toMatchObject({ code: 'FAILED_PRECONDITION', message: 'streams: call stream()' });
  });

  it('that cannot be encoded behind one that its code gave: that one is sent before the error', async () => {
    const subject = new Subject<unknown>();
    line.handle(60, () => subject);
    const seen: unknown[] = [];
    const sent = failure(line.caller.send(60).forEach((value) => void seen.push(value)));
    await line.pair.settle();
    subject.next({ toJSON: () => (subject.next('inner'), 3n) });
    expect([(await sent).code, seen]).toEqual(['INTERNAL', ['inner']]);
  });

  it('may be undefined, and may be all', async () => {
    const subject = new Subject<unknown>();
    line.handle(60, () => subject);
    const sent = lastValueFrom(line.caller.send(60).pipe(toArray()));
    await line.pair.settle();
    subject.next(undefined);
    subject.next(1);
    subject.complete();
    expect(await sent).toEqual([undefined, 1]);
  });
});
