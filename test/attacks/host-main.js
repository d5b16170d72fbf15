// One host of a grid as a process of its own, on the built library: the victim of an attack, or an honest peer of it
// that calls all the time. It is told by messages what to do.
import { readFileSync } from 'node:fs';
import { bytes, GridManager, msgpack } from '../../dist/core.js';

const { local, hosts, token, route, limits, intervals } = JSON.parse(process.argv[2]);
const lines = [];
const line = (text) => lines.push(text);
const grid = new GridManager({
  local,
  hosts,
  auth: token ? { sign: () => token, verify: () => {} } : 'none',
  route,
  codec: bytes(),
  limits,
  intervals: { redialMs: 100, ...intervals },
  drainTimeoutMs: 0,
  logger: { log: line, warn: line, error: line },
});

/** Calls of 61 and 64 that were started. */
let started = 0;
/** Those whose handler has not ended. */
let running = 0;
let mostRunning = 0;

async function untilAborted(signal) {
  started++;
  mostRunning = Math.max(mostRunning, ++running);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  running--;
}

grid.handle(60, { kind: 'request' }, (payload) => payload);
grid.handle(61, { kind: 'request' }, async (_payload, { signal }) => untilAborted(signal));
grid.handle(62, { kind: 'request' }, (payload) => Buffer.alloc(Number(Buffer.from(payload).toString())));
grid.handle(63, { kind: 'stream', outCapacity: 16 }, async function* () {
  started++;
  mostRunning = Math.max(mostRunning, ++running);
  try {
    for (;;) yield Buffer.alloc(100);
  } finally {
    running--;
  }
});
grid.handle(64, { kind: 'stream', inCapacity: 4, outCapacity: 4 }, async function* (_payload, { signal }) {
  await untilAborted(signal);
});
// a handler that takes its time to end, whatever its caller does
grid.handle(65, { kind: 'stream', outCapacity: 4 }, async function* () {
  started++;
  mostRunning = Math.max(mostRunning, ++running);
  await new Promise((resolve) => setTimeout(resolve, 2_000).unref());
  running--;
});

// its one value takes the only credit: the end waits for another
grid.handle(66, { kind: 'stream', outCapacity: 1 }, () => Buffer.alloc(100));

grid.handle(67, { kind: 'stream', outCapacity: 1 }, async function* (_payload, { signal }) {
  await untilAborted(signal);
});
grid.handle(68, { kind: 'stream', outCapacity: 1 }, async function* (payload) {
  for (;;) yield Buffer.alloc(Number(Buffer.from(payload).toString()));
});
// what a peer sends is decoded by the default codec
grid.handle(70, { kind: 'request', codec: msgpack() }, (value) => typeof value);
grid.handle(71, { kind: 'stream', inCapacity: 1_000, codec: msgpack() }, async function* (_payload, { input }) {
  for await (const value of input) yield typeof value;
});
// and kept as long as the caller waits
grid.handle(72, { kind: 'request', codec: msgpack() }, async (value, { signal }) => {
  await untilAborted(signal);
  return typeof value;
});

await grid.listen();
await grid.start();

/** The load of an honest peer: one echo after the other, until it is stopped. */
let load;

async function call(peer, times, failures, state) {
  const payload = Buffer.alloc(512);
  while (!state.stopped) {
    const before = performance.now();
    try {
      await grid.peer(peer).request(60, payload, { timeoutMs: 30_000 });
      times.push(performance.now() - before);
    } catch (error) {
      failures.push(String(error));
      if (failures.length > 10) return;
    }
    // it shares the processor with the attacker, whose speed is the point
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The most memory since the start. What getrusage tells holds that of the process that forked this one, on Linux. */
function peakRss() {
  try {
    const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return Number(kilobytes) * 1_024;
  } catch {
    // not Linux
    return process.resourceUsage().maxRSS * 1_024;
  }
}

const orders = {
  facts: () => ({
    rss: process.memoryUsage.rss(),
    peakRss: peakRss(),
    started,
    running,
    mostRunning,
    lines,
    peers: grid.stats().peers.map(({ host, state, incoming, running: handlers, queuedBytes, dropped }) => ({
      host,
      state,
      incoming,
      handlers,
      queuedBytes,
      dropped,
    })),
  }),
  connect: async ({ peer }) => grid.peer(peer).waitForConnect({ timeoutMs: 20_000 }),
  load: ({ peer }) => {
    const state = { stopped: false };
    const times = [];
    const failures = [];
    load = { state, times, failures, ended: call(peer, times, failures, state) };
  },
  unload: async () => {
    load.state.stopped = true;
    await load.ended;
    const times = load.times.toSorted((a, b) => a - b);
    const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
    return { calls: times.length, failures: load.failures, p50: at(0.5), p99: at(0.99), longest: times.at(-1) };
  },
};

process.on('disconnect', () => process.exit(0));
process.on('message', async ({ id, order, ...more }) => {
  try {
    process.send({ id, answer: await orders[order](more) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
process.send({ id: 0 });
