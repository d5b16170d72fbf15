// A grid in a process of its own that is fed mutated frames, without a network in between: as many as are wanted. Tells
// how its connections ended, what the longest frame took and how its memory went. It is told by a message what to do.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bytes, GridManager } from '../../dist/core.js';

/** Less than the default, so that a message past it is soon made. */
const MESSAGE_BYTES = 64 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** Chance that can be repeated (mulberry32). */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The frame with some of its bytes changed, left out or said twice. */
function mutated(frame, random) {
  let changed = Buffer.from(frame);
  for (let edits = 1 + Math.floor(random() * 3); edits > 0; edits--) {
    const at = Math.floor(random() * changed.length);
    const kind = random();
    if (kind < 0.4 && changed.length > 0) changed[at] = Math.floor(random() * 256);
    else if (kind < 0.7 && changed.length > 0) changed[at] ^= 1 << Math.floor(random() * 8);
    else if (kind < 0.8) changed = changed.subarray(0, at);
    else if (kind < 0.9) changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1)]);
    else changed = Buffer.concat([changed.subarray(0, at), changed.subarray(Math.floor(random() * changed.length))]);
  }
  return changed;
}

/** The victim's end of a socket: what is written is gone at once. */
class Socket {
  remoteAddress = 'fuzz';
  closed = false;
  answers = 0;

  constructor(closes) {
    this.closes = closes;
  }

  listen(listener) {
    this.listener = listener;
  }

  send(_frame, done) {
    this.answers++;
    queueMicrotask(done);
  }

  close(code) {
    this.end(code);
  }

  terminate() {
    this.end(1006);
  }

  /** The peer's side ends it. */
  leave() {
    this.end('stood');
  }

  end(code) {
    if (this.closed) return;
    this.closed = true;
    this.closes[code] = (this.closes[code] ?? 0) + 1;
    queueMicrotask(() => this.listener.onClose(code, ''));
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function untilAborted(signal) {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

function gridOf(local, name) {
  const grid = new GridManager({
    local,
    hosts: [local, name],
    auth: 'none',
    codec: bytes(),
    limits: { refusedPerMinute: 1_000_000, messageBytes: MESSAGE_BYTES },
    logger: { log() {}, warn() {}, error() {} },
    drainTimeoutMs: 0,
  });
  grid.handle(60, { kind: 'request' }, (payload) => payload);
  grid.handle(61, { kind: 'request' }, async (_payload, { signal }) => untilAborted(signal));
  grid.handle(63, { kind: 'stream', outCapacity: 16 }, async function* () {
    for (;;) yield Buffer.alloc(100);
  });
  grid.handle(64, { kind: 'stream', inCapacity: 4 }, async function* (_payload, { signal }) {
    await untilAborted(signal);
  });
  grid.handle(65, { kind: 'stream', inCapacity: 4 }, async function* (_payload, { input }) {
    yield* input;
  });
  return grid;
}

/** How one connection ends that brings these frames, and whether more than its hello was answered. */
async function endOf(grid, [hello, ...frames]) {
  const closes = {};
  const socket = new Socket(closes);
  grid.incoming(socket);
  socket.listener.onFrame(hello);
  await turn();
  for (const frame of frames) socket.listener.onFrame(frame);
  await turn();
  socket.leave();
  await turn();
  return { ends: Object.keys(closes), served: socket.answers > 1 };
}

async function fuzz({ local, name, seed, count, connect, session, odd, known }) {
  const random = chance(seed);
  const [hello, ...frames] = [connect, ...session].map((hex) => Buffer.from(hex, 'hex'));
  const wellFormed = odd.map((hex) => Buffer.from(hex, 'hex'));
  const oneOf = (list) => list[Math.floor(random() * list.length)];
  const grid = gridOf(local, name);
  await grid.start();
  const closes = {};
  let [connections, longestMs, peak] = [0, 0, 0];
  const rss = () => process.memoryUsage.rss();
  const heap = () => process.memoryUsage().heapUsed;
  let before;
  let heapBefore;
  for (let sent = 0; sent < count; connections++) {
    const socket = new Socket(closes);
    grid.incoming(socket);
    // one of a hundred says hello in its own way
    socket.listener.onFrame(random() < 0.01 ? mutated(hello, random) : hello);
    await turn();
    for (let n = 0; n < 50 && !socket.closed && sent < count; n++, sent++) {
      // what is damaged ends a connection soon: most of them are only odd
      const frame = random() < 0.1 ? mutated(oneOf(frames), random) : oneOf(wellFormed);
      const started = performance.now();
      socket.listener.onFrame(frame);
      longestMs = Math.max(longestMs, performance.now() - started);
    }
    socket.leave();
    if (connections % 500 !== 0) continue;
    await turn();
    peak = Math.max(peak, rss());
    // its code is compiled and its tables have grown by then
    if (before === undefined && sent >= count / 10) {
      collect();
      before = rss();
      heapBefore = heap();
    }
  }
  await turn();
  collect();
  const heapGrown = heap() - heapBefore;
  const ends = {};
  for (const [what, all] of Object.entries(known)) {
    const frames = all.map((hex) => Buffer.from(hex, 'hex'));
    ends[what] = await endOf(grid, frames);
  }
  const [peer] = grid.stats().peers;
  const { state, running, incoming } = peer;
  const told = {
    connections,
    longestMs,
    closes,
    ends,
    peer: { state, running, incoming },
    before,
    peak,
    after: rss(),
    heapGrown,
  };
  await grid.close();
  return told;
}

process.on('disconnect', () => process.exit(0));
process.on('message', async (order) => process.send(await fuzz(order)));
process.send('ready');
