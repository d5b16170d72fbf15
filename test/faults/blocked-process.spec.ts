// A real event loop that stands still: what it finds when it wakes is read before anybody is declared dead.
import { afterEach, expect, it } from '@jest/globals';
import { volume } from '../scale.js';
import { ProxiedCluster, type HostProcess } from './host-process.js';

let cluster: ProxiedCluster;
afterEach(() => cluster.end());

/** Nobody has lost anybody. */
async function expectAllUp(): Promise<void> {
  for (const host of [...cluster.callers, cluster.target]) {
    const { events, lines } = await host.tell('facts');
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['up']));
    expect(lines.filter((line) => line.startsWith('lost'))).toEqual([]);
  }
}

async function beatsOf(host: HostProcess): Promise<number> {
  const { beats, error } = await host.tell('beats');
  expect(error).toBeUndefined();
  return beats;
}

it('a block of three of its own intervals, again and again: the blocked host declares nobody dead', async () => {
  // the others are as patient as they would be in production: they see a host that is slow, no more
  const blockMs = volume(1_500, 15_000);
  const short = { pingMs: blockMs / 3, streamPingMs: blockMs / 3, writeTimeoutMs: blockMs / 3 };
  cluster = await ProxiedCluster.start(1, { intervals: { pingMs: 60_000 }, targetIntervals: short });
  const [other] = cluster.callers as [HostProcess];
  const { target } = cluster;
  await Promise.all([
    target.tell('beat', { peer: other.local, ms: 10 }),
    other.tell('beat', { peer: target.local, ms: 10 }),
  ]);
  for (let round = 0; round < 3; round++) {
    const before = await Promise.all([beatsOf(target), beatsOf(other)]);
    const asked = other.tell('request', { peer: target.local, handler: 60, payload: 'waits' });
    await target.tell('block', { ms: blockMs });
    expect(await asked).toMatchObject({ answer: 'waits' });
    const order = { peer: other.local, handler: 60, payload: 'x' };
    expect(await target.tell('request', order)).toMatchObject({ answer: 'x' });
    const after = await Promise.all([beatsOf(target), beatsOf(other)]);
    for (const [index, beats] of after.entries()) expect(beats).toBeGreaterThan(before[index]!);
  }
  await expectAllUp();
}, 300_000);

it('a block of an interval and a half, when the last pong is fresh, is a loss for nobody', async () => {
  const pingMs = volume(1_000, 10_000);
  const intervals = { pingMs, streamPingMs: 1.5 * pingMs, streamSilenceMs: 6 * pingMs };
  cluster = await ProxiedCluster.start(2, { intervals });
  const { callers, target } = cluster;
  await Promise.all(callers.map((caller) => caller.tell('beat', { peer: target.local, ms: 10 })));
  for (let round = 0; round < 2; round++) {
    await Promise.all(callers.map((caller) => caller.tell('ping', { peer: target.local })));
    const order = { peer: target.local, handler: 60, payload: 'waits' };
    const asked = callers.map((caller) => caller.tell('request', order));
    await target.tell('block', { ms: 1.5 * pingMs });
    for (const { answer } of await Promise.all(asked)) expect(answer).toBe('waits');
    for (const caller of callers) await beatsOf(caller);
  }
  await expectAllUp();
}, 300_000);
