import { afterEach, expect, it } from '@jest/globals';
import { bytes } from '../../lib/calls/index.js';
import type { GridManager } from '../../lib/manager/index.js';
import { MB, volume } from '../scale.js';
import { until } from '../until.js';
import { nothingLeft } from './couple.js';
import { allConnected, Neighbourhood } from './neighbourhood.js';

/** Two grids of the same hosts on one port, each with a route and connections of its own. */

let hood: Neighbourhood;
afterEach(() => hood.close());

async function bulkAndLocks(): Promise<{ bulk: GridManager[]; locks: GridManager[] }> {
  hood = await Neighbourhood.build(2);
  const bulk = hood.houses.map((house) => house.grid({ name: 'bulk' }));
  const locks = hood.houses.map((house) => house.grid({ name: 'locks', route: '/locks/v1' }));
  const block = Buffer.alloc(MB);
  for (const grid of [...bulk, ...locks]) {
    grid.handle(60, { kind: 'request' }, (payload) => payload);
    grid.handle(61, { kind: 'request', codec: bytes() }, () => block);
  }
  return { bulk, locks };
}

it('B15 requests of one grid do not wait behind the 1 MiB answers of the other', async () => {
  const { bulk, locks } = await bulkAndLocks();
  for (const grid of [...bulk, ...locks]) void grid.start();
  await allConnected(...bulk, ...locks);
  const [a, b] = bulk as [GridManager, GridManager];
  const IN_FLIGHT = 24;
  let answers = 0;
  let saturated = true;
  const load = Array.from({ length: IN_FLIGHT }, async () => {
    while (saturated) {
      await a.peer(b.local).request(61, undefined, { codec: bytes() });
      answers++;
    }
  });
  await until(() => answers >= IN_FLIGHT, 'the first grid is saturated');
  const peer = locks[0]!.peer(b.local);
  // how many large answers came while one small one was waited for: a measure that no machine is too slow for
  const behind: number[] = [];
  for (let i = 0; i < volume(40, 150); i++) {
    const before = answers;
    expect(await peer.request(60, i)).toBe(i);
    behind.push(answers - before);
  }
  saturated = false;
  await Promise.all(load);
  const median = behind.toSorted((x, y) => x - y)[behind.length >> 1]!;
  // on a connection of its own one waits for what is being written, on a shared one for all that waits
  expect(median).toBeLessThan(IN_FLIGHT / 2);
  await nothingLeft(...bulk, ...locks);
}, 300_000);

it('B15 killing the socket of one grid leaves the other grid of the same two hosts alone', async () => {
  const { bulk, locks } = await bulkAndLocks();
  const [a, b] = bulk as [GridManager, GridManager];
  for (const grid of bulk) void grid.start();
  await allConnected(...bulk);
  const [socket] = hood.houses.flatMap((house) => house.incoming);
  for (const grid of locks) void grid.start();
  await allConnected(...locks);
  const down = new Promise((resolve) => {
    a.events.subscribe((event) => event.type === 'down' && resolve(event));
  });
  let lost = 0;
  for (const grid of locks) grid.events.subscribe((event) => event.type === 'down' && lost++);
  const waiting = locks[0]!.peer(b.local).request(60, 'lock');
  socket!.destroy();
  await down;
  expect(await waiting).toBe('lock');
  expect(await locks[0]!.peer(b.local).request(60, 'still')).toBe('still');
  await allConnected(...bulk);
  expect(lost).toBe(0);
  expect(locks[0]!.stats().peers[0]).toMatchObject({ reconnects: 0 });
});
