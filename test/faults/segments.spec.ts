// B1 "Ordering": calls and streams whose bytes come in segments of one byte, late, or slowly.
import { afterEach, expect, it } from '@jest/globals';
import { volume } from '../scale.js';
import { ProxiedCluster } from './host-process.js';

let cluster: ProxiedCluster;
afterEach(() => cluster.end());

it('1,000 streams in segments of one byte and of some: no gap, no repeat, no swap', async () => {
  // a frame of 32 KiB is 32,768 writes of the proxy, each with its turn on a machine that is busy
  const patience = volume(60_000, 600_000);
  cluster = await ProxiedCluster.start(1, { intervals: { pingMs: patience, writeTimeoutMs: patience } });
  const { proxy, callers, target } = cluster;
  const [caller] = callers;
  const passes = [
    { segment: 1, count: 1_000, items: volume(4, 100) },
    { segment: 97, count: 1_000, items: volume(4, 1_000) },
    // answers with a filler of up to that many bytes
    { segment: 1, count: volume(10, 100), items: 5, size: volume(1_000, 20_000) },
  ];
  let first = 0;
  for (const { segment, count, ...order } of passes) {
    for (const way of [proxy.there, proxy.back]) way.slice(segment);
    expect(await caller!.tell('streams', { ...order, first, count, peer: target.local })).toEqual([]);
    first += count;
  }
  const { streams, events } = await target.tell('facts');
  expect(streams).toEqual({ started: first, aborted: 0, ended: first });
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
