// One host of a grid as a process of its own, on the built library, told by messages what to do and what to tell. For
// tests that put faults between processes, or stop and block them.
import { appendFile } from 'node:fs/promises';
import { bytes, GridManager, msgpack } from '../../dist/core.js';

const { local, hosts, listen, intervals, limits } = JSON.parse(process.argv[2]);
const lines = [];
const line = (text) => lines.push(text);
const grid = new GridManager({
  local,
  hosts,
  listen,
  auth: { secret: 'a secret of the test, long enough for it' },
  limits,
  intervals: { redialMs: 20, ...intervals },
  drainTimeoutMs: 0,
  logger: { log: line, warn: line, error: line },
});

/** Up and down as they happen, with the time of the machine. */
const events = [];
grid.events.subscribe(({ type, peer, error }) => events.push({ type, peer, at: Date.now(), error: error?.message }));

/** How often the handler of each numbered call ran. */
const ran = {};
const run = (id) => (ran[id] = (ran[id] ?? 0) + 1);
/** Streams: handlers that were started, were aborted, and whose finally ran. */
const streams = { started: 0, aborted: 0, ended: 0 };
/** What handler 67 was given, as hex, and how often. */
const seen = {};

function sleepDeeply(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

grid.handle(60, { kind: 'request' }, (payload) => payload);
grid.handle(61, { kind: 'stream', outCapacity: 4 }, async function* ({ id, items, size = 0 }, { signal }) {
  run(id);
  streams.started++;
  signal.addEventListener('abort', () => streams.aborted++);
  try {
    for (let item = 0; item < items; item++) yield { id, item, filler: Buffer.alloc(size && (item * 7919) % size) };
  } finally {
    streams.ended++;
  }
});
grid.handle(62, { kind: 'stream', inCapacity: 4, outCapacity: 4 }, async function* ({ id }, { input, signal }) {
  run(id);
  streams.started++;
  signal.addEventListener('abort', () => streams.aborted++);
  try {
    for await (const message of input) yield message;
  } finally {
    streams.ended++;
  }
});
grid.handle(63, { kind: 'request' }, ({ id }) => {
  run(id);
  return id;
});
grid.handle(64, { kind: 'request' }, () => new Promise(() => {}));
grid.handle(65, { kind: 'request' }, async () => {
  // its disk is full
  await appendFile('/dev/full', 'x');
});
grid.handle(66, { kind: 'request' }, (ms) => sleepDeeply(ms));
grid.handle(67, { kind: 'request', codec: bytes() }, (payload) => {
  const hex = Buffer.from(payload ?? []).toString('hex');
  seen[hex] = (seen[hex] ?? 0) + 1;
  return payload;
});

const failure = (error) => ({
  code: error.code,
  reason: error.reason,
  notSent: error.notSent,
  remote: error.remote,
  text: error.message,
});

/** Runs to the one end of a call; a second end of it is told as a failure of the test. */
async function ended(id, kind, work) {
  const items = [];
  try {
    const answer = await work(items);
    return { id, kind, items, answer };
  } catch (error) {
    return { id, kind, items, error: failure(error) };
  }
}

async function takeAll(call, items) {
  for await (const { item } of call) items.push(item);
}

/** One call of each kind, all at once: what travels together is merged. */
function session(peer, first, sent) {
  const options = { timeoutMs: 10_000 };
  const to = grid.peer(peer);
  const id = (n) => first + n;
  const request = (n) => ended(id(n), 'request', () => to.request(63, { id: id(n) }, options));
  const stream = (n) =>
    ended(id(n), 'stream', (items) => takeAll(to.stream(61, { id: id(n), items: sent }, options), items));
  const many = (n) =>
    ended(id(n), 'many', async (items) => {
      const observable = to.send(61, { id: id(n), items: sent }, options);
      await observable.forEach(({ item }) => items.push(item));
    });
  const both = (n) =>
    ended(id(n), 'both', async (items) => {
      const input = Array.from({ length: sent }, (_, item) => ({ item }));
      await takeAll(to.stream(62, { id: id(n) }, { ...options, input }), items);
    });
  return Promise.all([request(0), request(1), stream(2), many(3), both(4), request(5)]);
}

let increasing;
let load;
async function runLoad({ peers, state, times, failures, gapMs }) {
  for (let turn = 0; !state.stopped || times.length < state.least; turn++) {
    const before = performance.now();
    try {
      await grid.peer(peers[turn % peers.length]).request(60, 'load', { timeoutMs: 60_000 });
      times.push(performance.now() - before);
    } catch (error) {
      failures.push(String(error));
    }
    await new Promise((resolve) => setTimeout(resolve, gapMs));
  }
}

const summary = (times) => {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), longest: sorted.at(-1) };
};

const orders = {
  connect: ({ peer }) => grid.peer(peer).waitForConnect({ timeoutMs: 20_000 }),
  /** One call; its end, right or wrong, and how long it took. */
  request: async ({ peer, handler, payload, timeoutMs = 60_000 }) => {
    const started = performance.now();
    const codec = handler === 67 ? bytes() : msgpack();
    const given = handler === 67 ? Buffer.from(payload, 'hex') : payload;
    const end = await ended(0, 'request', () => grid.peer(peer).request(handler, given, { timeoutMs, codec }));
    const answer = handler === 67 && end.answer ? Buffer.from(end.answer).toString('hex') : end.answer;
    return { ...end, answer, tookMs: performance.now() - started };
  },
  /** Requests of so many bytes each, all at once: the codes of those that failed. */
  bulk: async ({ peer, count, size }) => {
    const to = grid.peer(peer);
    const payload = Buffer.alloc(size);
    const ends = await Promise.all(
      Array.from({ length: count }, () => ended(0, 'request', () => to.request(60, payload))),
    );
    return ends.map(({ error }) => error ?? 'answered');
  },
  session: ({ peer, first, items }) => session(peer, first, items),
  /** Requests of handler 67, all in one turn. */
  several: ({ peer, payloads }) =>
    Promise.all(
      payloads.map((hex, id) =>
        ended(id, 'request', async () => {
          const answer = await grid.peer(peer).request(67, Buffer.from(hex, 'hex'), { codec: bytes() });
          return Buffer.from(answer).toString('hex');
        }),
      ),
    ),
  /** Numbered calls, some at a time, through whatever happens to the connection, until `increased`. */
  increments: ({ peer, atOnce }) => {
    increasing = { stopped: false, ends: [] };
    let next = 0;
    const worker = async () => {
      while (!increasing.stopped) {
        if (grid.peer(peer).state !== 'connected') await grid.peer(peer).waitForConnect({ timeoutMs: 20_000 });
        const id = next++;
        const started = performance.now();
        const { error, answer } = await ended(id, 'request', () => grid.peer(peer).request(63, { id }));
        const tookMs = performance.now() - started;
        increasing.ends.push(error ? { id, error, tookMs } : { id, right: answer === id, tookMs });
      }
    };
    increasing.over = Promise.all(Array.from({ length: atOnce }, worker));
  },
  increased: async () => {
    increasing.stopped = true;
    await increasing.over;
    return increasing.ends;
  },
  /** Streams both ways at once, requests in between: how many went wrong, and how. */
  streams: async ({ peer, first, count, items, size }) => {
    const to = grid.peer(peer);
    const wrong = [];
    const input = Array.from({ length: items }, (_, item) => ({ item }));
    const one = async (id) => {
      const got = [];
      try {
        const given = { input: id % 4 === 1 ? input : [] };
        const call = id % 2 === 0 ? to.stream(61, { id, items, size }) : to.stream(62, { id }, given);
        await takeAll(call, got);
        if (id % 5 === 0 && (await to.request(60, id)) !== id) wrong.push({ id, text: 'another answer' });
      } catch (error) {
        wrong.push({ id, ...failure(error) });
      }
      const want = id % 4 === 3 ? 0 : items;
      if (got.length !== want || got.some((item, index) => item !== index)) wrong.push({ id, got });
    };
    await Promise.all(Array.from({ length: count }, (_, n) => one(first + n)));
    return wrong;
  },
  ran: () => ran,
  seen: () => seen,
  ping: ({ peer }) => grid.peer(peer).ping(),
  /** Pings one after the other: the round trips. */
  pings: async ({ peer, count }) => {
    const times = [];
    for (let ping = 0; ping < count; ping++) times.push(await grid.peer(peer).ping());
    return summary(times);
  },
  load: ({ peers, gapMs = 2 }) => {
    load = { peers, gapMs, state: { stopped: false, least: 0 }, times: [], failures: [] };
    load.over = runLoad(load);
  },
  /** Ends the load once so many calls have been made. */
  unload: async ({ least = 0 }) => {
    load.state = Object.assign(load.state, { stopped: true, least });
    await load.over;
    return { failures: load.failures, ...summary(load.times) };
  },
  /** Stands still, the order's answer included. */
  block: ({ ms }) => sleepDeeply(ms),
  facts: () => ({
    lines,
    events,
    streams,
    peers: grid.stats().peers.map(({ host, state, outgoing, incoming, running }) => ({
      host,
      state,
      open: outgoing + incoming + running,
    })),
  }),
};

grid.handle(68, { kind: 'stream', outCapacity: 4 }, async function* (ms, { signal }) {
  // lives until it is aborted, and tells a number now and then
  for (let beat = 0; !signal.aborted; beat++) {
    yield beat;
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
});

let beating;
orders.beat = ({ peer, ms }) => {
  beating = { beats: 0 };
  const call = grid.peer(peer).stream(68, ms);
  const beats = async () => {
    for await (const beat of call) beating.beats = beat + 1;
  };
  beats().catch((error) => (beating.error = failure(error)));
};
orders.beats = () => beating;

await grid.listen();
await grid.start();
process.on('disconnect', () => process.exit(0));
process.on('message', async ({ id, order, ...args }) => {
  try {
    process.send({ id, answer: await orders[order](args) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
process.send({ id: 0 });
