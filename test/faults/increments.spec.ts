// B1 "At-most-once, no hidden retry": numbered increments over a link that is reset at random bytes.
import { afterEach, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { until } from '../conformance/hang-budget.js';
import { volume } from '../scale.js';
import { ProxiedCluster } from './host-process.js';

const RESETS = volume(200, 1_000);
const MOST_BYTES = volume(5_000, 40_000);
/** A caller that is told of the loss of its connection is told soon. */
const HANG_MS = 10_000;

let cluster: ProxiedCluster;
afterEach(() => cluster.end());

it(`at most once over ${RESETS} resets at random bytes: each ran once or not at all, as its end says`, async () => {
  cluster = await ProxiedCluster.start(1);
  const { proxy, callers, target } = cluster;
  const [caller] = callers;
  const seed = Date.now() % 2 ** 31;
  const point = fc.record({ there: fc.boolean(), afterBytes: fc.nat(MOST_BYTES), reset: fc.boolean() });
  await caller!.tell('increments', { peer: target.local, atOnce: 30 });
  for (const { there, afterBytes, reset } of fc.sample(point, { numRuns: RESETS, seed })) {
    const way = there ? proxy.there : proxy.back;
    if (reset) way.reset({ afterBytes });
    else way.cut({ afterBytes });
    await until(async () => way.armed === 0, `the link was cut (seed ${seed})`, 60_000);
  }
  const ends = await caller!.tell('increased');
  const ran = await target.tell('ran');
  const lies = ends.filter(({ id, right, error }) => {
    const times = ran[id] ?? 0;
    if (right !== undefined) return !right || times !== 1;
    return times > 1 || (error!.notSent && times > 0) || error!.code !== 'UNAVAILABLE';
  });
  expect({ seed, lies }).toEqual({ seed, lies: [] });
  // no number was used twice, and none that was never asked for ran
  expect(new Set(ends.map(({ id }) => id)).size).toBe(ends.length);
  expect(Object.keys(ran).length).toBeLessThanOrEqual(ends.length);
  const failed = ends.filter(({ error }) => error);
  expect(Math.max(...failed.map(({ tookMs }) => tookMs))).toBeLessThan(HANG_MS);
  // each kind of end was met
  expect(ends.length - failed.length).toBeGreaterThan(RESETS);
  expect(failed.filter(({ error }) => error!.notSent).length).toBeGreaterThan(0);
  expect(failed.filter(({ id, error }) => !error!.notSent && ran[id] === 1).length).toBeGreaterThan(0);
  expect(failed.filter(({ id, error }) => !error!.notSent && ran[id] === undefined).length).toBeGreaterThan(0);
}, 600_000);
