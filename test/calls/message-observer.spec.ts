// What a subscriber, or the codec of its messages, does while they are delivered: order and end stay what they are.
import { expect, it } from '@jest/globals';
import { map, type Observable } from 'rxjs';
import { json, type CallOptions, type Codec, type GridCall } from '../../lib/calls/index.js';
import { lineForEachTest, type GridLine } from './grid-line.js';

let line: GridLine;
lineForEachTest((fresh) => {
  line = fresh;
  const oneToFive = async function* (): AsyncGenerator<number> {
    for (let i = 1; i <= 5; i++) yield i;
    await new Promise<void>(() => {});
  };
  line.handle(60, oneToFive, { kind: 'stream' });
});

/** A call all of whose messages have come and wait for their subscriber. */
async function arrived(options: CallOptions = {}): Promise<GridCall> {
  const call = line.caller.stream(60, undefined, options);
  await line.pair.settle();
  return call;
}

/** What a subscriber sees, by the time that it is done with it. */
function seenBy(messages: Observable<unknown>): unknown[] {
  const seen: unknown[] = [];
  messages.subscribe({
    next: (value) => seen.push(value),
    error: (error: { code: string }) => seen.push(error.code),
    complete: () => seen.push('complete'),
  });
  return seen;
}

/** JSON; what `act` does, it does while a 2 is read. */
const whileReadingTwo = (act: () => void): Codec => ({
  encode: json().encode,
  decode: (payload) => {
    const value = json().decode(payload);
    if (value === 2) act();
    return value;
  },
});

const doing =
  (act: () => void) =>
  (value: unknown): unknown => {
    if (value === 2) act();
    return value;
  };

it('who cancels the call at a value gets that first, then the others that have come, then the end', async () => {
  const call = await arrived();
  expect(seenBy(call.toObservable().pipe(map(doing(() => call.cancel()))))).toEqual([1, 2, 3, 4, 5, 'CANCELLED']);
});

it('so does who aborts its signal, or loses its connection', async () => {
  const controller = new AbortController();
  const aborted = await arrived({ signal: controller.signal });
  const lost = await arrived();
  const aborting = aborted.toObservable().pipe(map(doing(() => controller.abort())));
  expect(seenBy(aborting)).toEqual([1, 2, 3, 4, 5, 'CANCELLED']);
  const losing = lost.toObservable().pipe(map(doing(() => line.pair.cut())));
  expect(seenBy(losing)).toEqual([1, 2, 3, 4, 5, 'UNAVAILABLE']);
});

it('and so does whose codec does it', async () => {
  const call: GridCall = await arrived({ codec: whileReadingTwo(() => call.cancel()) });
  expect(seenBy(call.toObservable())).toEqual([1, 2, 3, 4, 5, 'CANCELLED']);
});

it('a message that cannot be decoded is the end: none behind it is delivered', async () => {
  const codec = whileReadingTwo(() => {
    throw new Error('no 2');
  });
  const call = await arrived({ codec });
  expect(seenBy(call.toObservable())).toEqual([1, 'INTERNAL']);
  await expect(call.done).rejects.toMatchObject({ code: 'INTERNAL' });
});
