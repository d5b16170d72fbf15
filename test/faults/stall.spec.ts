// Black holes between two processes: both ends tell of the loss within the ping window and not before.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../conformance/hang-budget.js';
import { lasts } from '../pace.js';
import { ProxiedCluster, type Facts, type HostProcess } from './host-process.js';

const PING_MS = 400;
/** Timing has no place in a test, but what hangs should be told of. */
const HANG_MS = 20_000;

let cluster: ProxiedCluster;
let caller: HostProcess;
let target: HostProcess;
afterAll(() => cluster.end());

/** The event of this type after a moment, at a host. */
function eventAt(host: HostProcess, type: string, since: number): Promise<Facts['events'][0]> {
  const found = async (): Promise<Facts['events'][0] | undefined> =>
    (await host.tell('facts')).events.find((event) => event.type === type && event.at >= since);
  return until(found, `${host.local} has not told of ${type}`, HANG_MS);
}

describe('nothing arrives', () => {
  beforeAll(async () => {
    cluster = await ProxiedCluster.start(1, { intervals: { pingMs: PING_MS, dialTimeoutMs: 300, redialMs: 100 } });
    [caller] = cluster.callers as [HostProcess];
    ({ target } = cluster);
  }, 60_000);

  it.each(['both ways', 'there', 'back', 'there, swallowed', 'back, swallowed'])(
    'a black hole %s: both ends lose each other within the ping window and not before, and are back when it is healed',
    async (where) => {
      const { proxy } = cluster;
      const [from, to] = [caller.local, target.local];
      await Promise.all([caller.tell('beat', { peer: to, ms: 20 }), target.tell('beat', { peer: from, ms: 20 })]);
      // a target that starts more slowly may be told of as such
      const told = await Promise.all([caller, target].map(async (host) => (await host.tell('facts')).lines.length));
      // the last pong is fresh at both ends: any loss before a whole interval would be too early
      await Promise.all([caller.tell('ping', { peer: to }), target.tell('ping', { peer: from })]);
      const since = Date.now();
      const way = where.startsWith('there') ? proxy.there : proxy.back;
      if (where === 'both ways') proxy.stall();
      else if (where.endsWith('swallowed')) way.swallow();
      else way.stall();
      const pending = [
        caller.tell('request', { peer: to, handler: 64 }),
        target.tell('request', { peer: from, handler: 64 }),
      ];
      const downs = await Promise.all([eventAt(caller, 'down', since), eventAt(target, 'down', since)]);
      for (const { at } of downs) {
        expect(at - since).toBeGreaterThan(PING_MS);
        expect(at - since).toBeLessThan(HANG_MS);
      }
      // by its own silence, or by the goodbye of the other that still arrived
      expect(downs.map(({ error }) => error).join()).toContain(`no pong for two intervals of ${PING_MS} ms`);
      for (const { error } of await Promise.all(pending)) {
        expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected', notSent: false });
      }
      for (const host of [caller, target]) {
        expect((await host.tell('beats')).error).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
      }
      // it is dialed in vain meanwhile, and a call is told so at once
      const { connected } = proxy;
      await until(async () => proxy.connected > connected + 2, 'no dial', HANG_MS);
      const refused = await caller.tell('request', { peer: to, handler: 60 });
      expect(refused.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'not-connected', notSent: true });
      proxy.heal();
      await cluster.connected();
      const back = { handler: 60, payload: 'back' };
      expect(await caller.tell('request', { ...back, peer: to })).toMatchObject({ answer: 'back' });
      expect(await target.tell('request', { ...back, peer: from })).toMatchObject({ answer: 'back' });
      for (const [index, peer] of [to, from].entries()) {
        const { lines } = await [caller, target][index]!.tell('facts');
        expect(lines.slice(told[index])).toEqual([
          expect.stringContaining(`lost the connection to ${peer}`),
          expect.stringContaining(`connected to ${peer} again`),
        ]);
      }
    },
    60_000,
  );

  it('a stall within the window is no loss: what was on its way arrives', async () => {
    const { proxy } = cluster;
    const order = { peer: target.local, handler: 60, payload: 'late' };
    await Promise.all([caller.tell('ping', { peer: target.local }), target.tell('ping', { peer: caller.local })]);
    const since = Date.now();
    proxy.stall();
    const late = caller.tell('request', order);
    // half of the window that one interval leaves
    await lasts(PING_MS / 2);
    proxy.heal();
    expect(await late).toMatchObject({ answer: 'late' });
    for (const host of [caller, target]) {
      expect((await host.tell('facts')).events.filter(({ at }) => at >= since)).toEqual([]);
    }
  }, 60_000);
});

it('B04 a peer reads nothing: writes that do not finish end the connection, long before a ping would', async () => {
  await cluster.end();
  cluster = await ProxiedCluster.start(1, { intervals: { writeTimeoutMs: 400 }, targetIntervals: {} });
  [caller] = cluster.callers as [HostProcess];
  ({ target } = cluster);
  const { proxy } = cluster;
  const since = Date.now();
  proxy.there.stall();
  const bulk = await caller.tell('bulk', { peer: target.local, count: 24, size: 1 << 20 });
  expect(bulk.map((end) => end !== 'answered' && [end.code, end.reason])).toEqual(
    bulk.map(() => ['UNAVAILABLE', 'disconnected']),
  );
  // what was never handed to the socket says so, what was does not
  expect(new Set(bulk.map((end) => end !== 'answered' && end.notSent))).toEqual(new Set([true, false]));
  const { error } = await eventAt(caller, 'down', since);
  expect(error).toMatch(/^no write finished for 400 ms with \d+ bytes in flight$/);
  proxy.heal();
  await cluster.connected();
  const order = { peer: target.local, handler: 60, payload: 'x' };
  expect(await caller.tell('request', order)).toMatchObject({ answer: 'x' });
}, 60_000);
