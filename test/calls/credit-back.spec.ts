// When a credit goes back to the handler: as the application takes a message, by each way of taking it.
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Op } from '../../lib/wire/index.js';
import { gridLine, type GridLine } from './grid-line.js';

let line: GridLine;
let produced: number;

beforeEach(() => {
  produced = 0;
  line = gridLine();
  const endless = async function* (): AsyncGenerator<number> {
    for (;;) yield produced++;
  };
  line.handle(60, endless, { kind: 'stream', outCapacity: 3 });
});
afterEach(async () => {
  line.pair.cut();
  await line.pair.settle();
  expect([line.pair.b.running, line.clock.timers]).toEqual([0, 0]);
});

const creditsBack = (): number => line.pair.aToB.delivered.filter(({ op }) => op === Op.UnblockSrvMux).length;

async function quiet(): Promise<void> {
  for (let round = 0; round < 5; round++) await line.pair.settle();
}

it('nobody takes: none goes back, and the handler stands still', async () => {
  line.caller.stream(60);
  await quiet();
  expect([creditsBack(), produced]).toEqual([0, 3]);
});

it('the iterator: one for each message that was asked for', async () => {
  const reader = line.caller.stream(60)[Symbol.asyncIterator]();
  for (let taken = 1; taken <= 10; taken++) {
    await reader.next();
    await quiet();
    expect([creditsBack(), produced]).toEqual([taken, taken + 3]);
  }
});

it('toObservable(): one for each value that was delivered', async () => {
  let delivered = 0;
  const subscription = line.caller
    .stream(60)
    .toObservable()
    .subscribe(() => {
      if (++delivered === 20) subscription.unsubscribe();
    });
  while (!subscription.closed) await line.pair.settle();
  await quiet();
  expect(delivered).toBe(20);
  expect(creditsBack()).toBeLessThanOrEqual(20);
  expect(produced).toBeLessThanOrEqual(23);
});

it('toReadable(): as it is read, and its own buffer of one', async () => {
  const readable = line.caller.stream(60).toReadable();
  for (let taken = 0; taken < 10; taken++) {
    while (readable.read() === null) await once(readable, 'readable');
    await quiet();
    expect(creditsBack()).toBeLessThanOrEqual(taken + 3);
    expect(produced).toBeLessThanOrEqual(taken + 6);
  }
  readable.destroy();
  await once(readable, 'close');
});
