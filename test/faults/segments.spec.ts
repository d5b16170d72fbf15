// B1 "Ordering": calls and streams whose bytes come in segments of one byte, late, or slowly.
import { afterEach, expect, it } from '@jest/globals';
import { volume } from '../scale.js';
import { ProxiedCluster } from './host-process.js';

let cluster: ProxiedCluster;
afterEach(() => cluster.end());

it('1,000 streams in segments of one byte: no gap, no repeat, no swap', async () => {
  cluster = await ProxiedCluster.start(1);
  const { proxy, callers, target } = cluster;
  const [caller] = callers;
  proxy.there.slice(1);
  proxy.back.slice(1);
  // a stream that is given a credit per item, one byte at a time
  const order = { first: 0, count: 1_000, items: volume(4, 1_000) };
  expect(await caller!.tell('streams', { ...order, peer: target.local })).toEqual([]);
  // bulk too: answers of some 1,000 bytes, and their credits
  const large = { first: 2_000, count: volume(10, 100), items: 5, size: volume(1_000, 40_000) };
  expect(await caller!.tell('streams', { ...large, peer: target.local })).toEqual([]);
  const { streams, events } = await target.tell('facts');
  expect(streams).toMatchObject({ aborted: 0, started: 1_000 + large.count, ended: 1_000 + large.count });
  expect(events.map(({ type }) => type)).toEqual(['up']);
}, 600_000);

it('latency with jitter and little bandwidth: calls take their time, and nothing else', async () => {
  cluster = await ProxiedCluster.start(1, { intervals: { pingMs: 3_000 } });
  const { proxy, callers, target } = cluster;
  const [caller] = callers;
  const peer = target.local;
  for (const way of [proxy.there, proxy.back]) way.delay(20, 30);
  expect(await caller!.tell('streams', { peer, first: 0, count: 40, items: 10 })).toEqual([]);
  const { tookMs } = await caller!.tell('request', { peer, handler: 60, payload: 'x' });
  expect(tookMs).toBeGreaterThanOrEqual(39);
  proxy.heal();
  for (const way of [proxy.there, proxy.back]) way.limit(200_000);
  expect(await caller!.tell('streams', { peer, first: 100, count: 40, items: 10, size: 500 })).toEqual([]);
  expect((await caller!.tell('bulk', { peer, count: 2, size: 60_000 })).flat()).toEqual(['answered', 'answered']);
  proxy.heal();
  const { events } = await caller!.tell('facts');
  expect(events.map(({ type }) => type)).toEqual(['up']);
}, 60_000);
