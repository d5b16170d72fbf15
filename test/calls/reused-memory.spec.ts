// An application may use its memory again as soon as a value is given: what waits has bytes of its own.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Observable } from 'rxjs';
import { bytes, type Codec } from '../../lib/calls/index.js';
import { turn } from '../turn.js';
import { collect, gridLine, type GridLine } from './grid-line.js';

let line: GridLine;

beforeEach(() => {
  line = gridLine();
});
afterEach(async () => {
  line.pair.cut();
  await line.pair.settle();
  expect(line.clock.timers).toBe(0);
});

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
