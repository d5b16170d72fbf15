// One of four hosts is stopped, cut off or busy. The others' calls to each other go on.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { until } from '../conformance/hang-budget.js';
import { volume } from '../scale.js';
import { ProxiedCluster, type HostProcess, type Times } from './host-process.js';
import { measured } from './measured.js';

const PING_MS = 400;
const HANG_MS = 20_000;
/** Calls between the others by which their latency is judged, at least. */
const CALLS = volume(100, 5_000);

let cluster: ProxiedCluster;
let callers: readonly HostProcess[];
let target: HostProcess;

beforeAll(async () => {
  cluster = await ProxiedCluster.start(3, { intervals: { pingMs: PING_MS, dialTimeoutMs: 300, redialMs: 100 } });
  ({ callers, target } = cluster);
}, 120_000);
afterAll(() => cluster.end());

/** Calls among the three while something is done: all succeed, and none hangs. */
async function whileTheOthersCall(what: string, work: () => Promise<void>): Promise<void> {
  for (const caller of callers) {
    await caller.tell('load', { peers: callers.filter((one) => one !== caller).map(({ local }) => local) });
  }
  let loads: (Times & { failures: string[] })[] = [];
  try {
    await work();
  } finally {
    loads = await Promise.all(callers.map((caller) => caller.tell('unload', { least: CALLS })));
  }
  for (const { failures, longest, count } of loads) {
    expect(failures).toEqual([]);
    expect(longest).toBeLessThan(HANG_MS);
    expect(count).toBeGreaterThanOrEqual(CALLS);
  }
  for (const { p50, p99, longest } of loads) measured(`calls of the others, ${what}`, { p50, p99, longest });
}

const states = async (state: string): Promise<boolean> => {
  const facts = await Promise.all(callers.map((caller) => caller.tell('facts')));
  return facts.every(({ peers }) => peers.find(({ host }) => host === target.local)!.state === state);
};

/** A call that is answered by its payload. */
async function expectEcho(from: HostProcess, to: HostProcess): Promise<void> {
  const order = { peer: to.local, handler: 60, payload: 'x' };
  expect(await from.tell('request', order)).toMatchObject({ answer: 'x' });
}

async function linesOfTarget(): Promise<string[][]> {
  const facts = await Promise.all(callers.map((caller) => caller.tell('facts')));
  return facts.map(({ lines }) => lines.filter((line) => line.includes(target.local)));
}

/** The target is made unreachable and reachable again. */
async function awayAndBack(what: string, leave: () => void, comeBack: () => void): Promise<void> {
  const before = await linesOfTarget();
  await whileTheOthersCall(what, async () => {
    leave();
    // their deadline is a minute: only the silence of the peer can end them
    const held = { peer: target.local, handler: 64 };
    const stuck = await Promise.all(callers.map((caller) => caller.tell('request', held)));
    for (const { error, tookMs } of stuck) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected', notSent: false });
      expect(tookMs).toBeLessThan(HANG_MS);
    }
    await until(() => states('disconnected'), 'all have lost it', HANG_MS);
    // more than one dial in vain makes no more lines
    const { connected } = cluster.proxy;
    await until(async () => cluster.proxy.connected > connected + 6, 'it is dialed on', HANG_MS);
    const refused = await callers[0]!.tell('request', { peer: target.local, handler: 60 });
    expect(refused.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'not-connected', notSent: true });
  });
  comeBack();
  await cluster.connected();
  await until(() => states('connected'), 'all have it again', HANG_MS);
  for (const caller of callers) {
    await expectEcho(caller, target);
    await expectEcho(target, caller);
  }
  for (const [index, lines] of (await linesOfTarget()).entries()) {
    expect(lines.slice(before[index]!.length)).toEqual([
      expect.stringContaining(`lost the connection to ${target.local}`),
      expect.stringContaining(`connected to ${target.local} again`),
    ]);
  }
}

it('all four are well: the latency to compare with', async () => {
  await whileTheOthersCall('all are well', async () => {});
}, 60_000);

it('B05 a frozen process fails its own calls within the ping window, delays no others, and comes back', async () => {
  const { lines } = await target.tell('facts');
  await awayAndBack(
    'one is stopped',
    () => target.signal('SIGSTOP'),
    () => target.signal('SIGCONT'),
  );
  const now = (await target.tell('facts')).lines.slice(lines.length);
  // it has found itself left by each of the others, once
  expect(now.filter((line) => line.startsWith('lost the connection')).length).toBe(callers.length);
  expect(now.length).toBeLessThanOrEqual(3 * callers.length);
}, 60_000);

it.each(['both ways', 'to it', 'from it'])('B05 a black hole %s takes one away, and nothing else', async (where) => {
  const { proxy } = cluster;
  const leave = {
    'both ways': () => proxy.stall(),
    'to it': () => proxy.there.stall(),
    'from it': () => proxy.back.stall(),
  };
  await awayAndBack(
    `black hole ${where}`,
    leave[where as keyof typeof leave],
    () => proxy.heal(),
  );
}, 60_000);

it('a full disk is an error of the call that met it', async () => {
  await whileTheOthersCall('a full disk', async () => {
    for (const caller of callers) {
      const { error } = await caller.tell('request', { peer: target.local, handler: 65 });
      expect(error).toMatchObject({ code: 'INTERNAL', remote: true, notSent: false });
      await expectEcho(caller, target);
    }
  });
}, 60_000);

it('a handler that never answers costs its caller its deadline, and nobody else anything', async () => {
  await whileTheOthersCall('one never answers', async () => {
    const order = { peer: target.local, handler: 64, timeoutMs: 300 };
    const hung = callers.map((caller) => caller.tell('request', order));
    await expectEcho(callers[0]!, target);
    for (const { error } of await Promise.all(hung)) {
      expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', notSent: false });
    }
  });
}, 60_000);

it('a handler blocks its whole process, shorter than the window: its calls wait, no connection is lost', async () => {
  const before = await Promise.all([...callers, target].map((host) => host.tell('facts')));
  await whileTheOthersCall('one blocks its process', async () => {
    for (let round = 0; round < 3; round++) {
      // the last pongs are fresh everywhere, so that one interval and a half is within the window
      await Promise.all(callers.map((caller) => caller.tell('ping', { peer: target.local })));
      const block = callers[0]!.tell('request', { peer: target.local, handler: 66, payload: PING_MS });
      await Promise.all(callers.map((caller) => expectEcho(caller, target)));
      expect((await block).error).toBeUndefined();
    }
  });
  for (const [index, host] of [...callers, target].entries()) {
    const { events } = await host.tell('facts');
    expect(events.slice(before[index]!.events.length)).toEqual([]);
  }
}, 60_000);
