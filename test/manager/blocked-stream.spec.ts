import { expect, it } from '@jest/globals';
import { GridManager } from '../../lib/manager/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { defineStream } from '../../lib/calls/index.js';
import { until } from '../until.js';
import { LogBook } from './neighbourhood.js';

const LOCAL = 'http://127.0.0.1:9000';
const Echo = defineStream<void, string, string>({ id: 65, name: 'echo', inCapacity: 4, outCapacity: 2 });

it('a caller writes and does not read: past blockedStreamMs both ends of the stream are logged, once', async () => {
  const clock = new ManualClock();
  const logger = new LogBook();
  const intervals = { blockedStreamMs: 5_000 };
  const grid = new GridManager({ local: LOCAL, hosts: [LOCAL], auth: 'none', clock, logger, intervals });
  grid.handle(Echo, {}, async function* (_payload, { input }) {
    yield* input as AsyncIterable<string>;
  });
  await grid.start();
  const call = grid.peer(LOCAL).stream(Echo);
  let written = 0;
  // 2 are echoed and unread, 4 wait for the handler, which is not pulled without a credit
  for (let i = 0; i < 8; i++) void call.write(`${i}`).then(() => written++);
  await until(() => written === 6, 'six messages are on their way');
  const lines = (): string[] => logger.matching(/blocked/).toSorted();
  const look = (wanted: () => boolean): Promise<void> =>
    until(() => (clock.advance(5_000), wanted()), 'told of by both ends');
  await look(() => lines().length === 2);
  let more = 5;
  await look(() => more-- === 0);
  expect(lines()).toEqual([
    `stream 65 from ${LOCAL} is blocked both ways for 5000 ms: 4 messages wait unread here, 2 at the peer`,
    `stream 65 to ${LOCAL} is blocked both ways for 5000 ms: 2 messages wait unread here, 4 at the peer`,
  ]);
  // and reading is the cure
  call.end();
  const read: string[] = [];
  for await (const message of call) read.push(message);
  expect(read).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  await grid.close();
});
