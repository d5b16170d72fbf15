import { afterEach, expect, it } from '@jest/globals';
import { ProxiedCluster, type HostProcess, type Times } from './host-process.js';
import { measured } from './measured.js';

const HANG_MS = 20_000;
const BULK = { count: 10, size: 1 << 20 };
/** A gigabit: 10 MB are under way for a while. */
const BYTES_PER_SECOND = 125_000_000;

let cluster: ProxiedCluster;
afterEach(() => cluster.end());

it('pings go to and fro while 10 MB are queued, and no connection is lost', async () => {
  cluster = await ProxiedCluster.start(1);
  const { proxy, target } = cluster;
  const [caller] = cluster.callers as [HostProcess];
  const peer = target.local;
  const idle = await caller.tell('pings', { peer, count: 200 });
  for (const way of [proxy.there, proxy.back]) way.limit(BYTES_PER_SECOND);
  const rounds: Times[] = [];
  for (let round = 0; round < 5; round++) {
    const bulk = caller.tell('bulk', { peer, ...BULK });
    rounds.push(await caller.tell('pings', { peer, count: 10 }));
    expect(await bulk).toEqual(Array.from({ length: BULK.count }, () => 'answered'));
  }
  for (const { longest } of [idle, ...rounds]) expect(longest).toBeLessThan(HANG_MS);
  const { events } = await caller.tell('facts');
  expect(events.map(({ type }) => type)).toEqual(['up']);
  measured('round trips with nothing queued', idle);
  for (const round of rounds) measured('round trips behind 10 MB', round);
}, 60_000);
