// Wire spec §6, §8 in real time: all scenes run beside each other, so the file takes as long as the longest.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { handled } from '../../lib/errors/index.js';
import { op, pongBody } from './raw-codec.js';
import { body } from './raw-msgpack.js';
import { RawHandler } from './raw-handler.js';
import { Stage } from './stage.js';

let stage: Stage;
const clock = Date.now;
/** How late a busy machine may be; that nothing comes early is what is asserted. */
const HANG_MS = 30_000;

interface Scenes {
  /** A peer that answers pings. */
  lively: Promise<{
    first: number;
    second: number;
    deadlineMs: number;
    flags: number;
    keys: string[];
    lastPingMs: number | null;
  }>;
  /** A peer that does not. */
  mute: Promise<{ after: number }>;
  /** A socket without a Connect. */
  silent: Promise<{ after: number }>;
  /** A dialed host that never answers the Connect. */
  unanswered: Promise<{ after: number; again: boolean }>;
  /** A dialed host where another process took the node's place. */
  replaced: Promise<{ attempts: number }>;
  /** A stream of the node whose handler side is alive, then has forgotten it. */
  pinged: Promise<{ after: number; seq: number; deadlineMs: number; failure: unknown; outputs: string[] }>;
}
let scenes: Scenes;

beforeAll(async () => {
  stage = await Stage.set({ dialers: 3, listeners: 2 });
  const muted = mute();
  scenes = {
    lively: lively(),
    mute: muted,
    replaced: replaced(muted),
    silent: silent(),
    unanswered: unanswered(),
    pinged: pinged(),
  };
  // each is judged by its test, which may come after it has failed
  for (const scene of Object.values(scenes)) void handled(scene as Promise<unknown>);
}, 70_000);
afterAll(async () => {
  await stage.clear();
  await stage.strike();
});

async function lively(): Scenes['lively'] {
  const peer = await stage.peer({ host: stage.dialers[0]! });
  const begin = clock();
  const ping = await peer.next({ op: op.Ping, muxId: 0 }, HANG_MS);
  const first = clock() - begin;
  const { deadlineMs, flags } = await peer.next({ op: op.Ping, muxId: 0 }, HANG_MS);
  const { lastPingMs } = await stage.node.peer(stage.dialers[0]!);
  return { first, second: clock() - begin, deadlineMs, flags, keys: Object.keys(body(ping.payload)), lastPingMs };
}

async function mute(): Scenes['mute'] {
  const peer = await stage.peer({ host: stage.dialers[1]! });
  peer.pongs = false;
  const begin = clock();
  await peer.closed;
  return { after: clock() - begin };
}

async function replaced(later: Promise<unknown>): Scenes['replaced'] {
  const [, listener] = stage.listeners;
  const peer = await listener!.peer();
  await stage.node.reaches(listener!.origin, 'connected');
  peer.socket.close(4001);
  await later;
  return { attempts: listener!.attempts.length };
}

async function silent(): Scenes['silent'] {
  const peer = await stage.open();
  const begin = clock();
  await peer.closed;
  return { after: clock() - begin };
}

async function unanswered(): Scenes['unanswered'] {
  const peer = await stage.listeners[0]!.socket(HANG_MS);
  const begin = clock();
  await peer.closed;
  const after = clock() - begin;
  const next = await stage.listeners[0]!.peer();
  await next.settle();
  return { after, again: true };
}

async function pinged(): Scenes['pinged'] {
  const host = stage.dialers[2]!;
  const peer = await stage.linked({ host });
  const done = stage.node.stream(host, 81);
  const call = await RawHandler.called(peer, { op: op.ConnectMux });
  const begin = clock();
  call.ack();
  call.item('alive');
  const ping = await peer.next({ op: op.Ping, muxId: call.muxId }, HANG_MS);
  const after = clock() - begin;
  peer.send({
    op: op.Pong,
    muxId: call.muxId,
    seq: ping.seq,
    deadlineMs: ping.deadlineMs,
    payload: pongBody({ notFound: true }),
  });
  const { error, outputs } = await done;
  return { after, seq: ping.seq, deadlineMs: ping.deadlineMs, failure: error, outputs };
}

test('the connection is pinged every 10 s, and the round trip is known', async () => {
  const { first, second, deadlineMs, flags, keys, lastPingMs } = await scenes.lively;
  expect(first).toBeGreaterThan(9_500);
  expect(first).toBeLessThan(HANG_MS);
  expect(second - first).toBeGreaterThan(9_000);
  expect([deadlineMs, flags, keys]).toEqual([10_000, 0, ['t']]);
  expect(lastPingMs).toBeGreaterThanOrEqual(0);
}, 70_000);

test('B11 a peer without pongs is given up after two intervals, at most a tick later', async () => {
  const { after } = await scenes.mute;
  expect(after).toBeGreaterThan(19_500);
  expect(after).toBeLessThan(31_000);
}, 70_000);

test('H3 a socket that sends no Connect is closed', async () => {
  const { after } = await scenes.silent;
  expect(after).toBeGreaterThan(4_500);
  expect(after).toBeLessThan(HANG_MS);
}, 70_000);

test('H3 a host that does not answer the Connect is left, and dialed again', async () => {
  const { after, again } = await scenes.unanswered;
  expect(after).toBeGreaterThan(1_500);
  expect(after).toBeLessThan(HANG_MS);
  expect(again).toBe(true);
}, 70_000);

test('a stream is pinged after 15 s; a Pong with nf ends it', async () => {
  const { after, seq, deadlineMs, failure, outputs } = await scenes.pinged;
  expect(after).toBeGreaterThan(14_000);
  expect(after).toBeLessThan(HANG_MS);
  expect(seq).toBe(2); // after ConnectMux and the credit for the item
  expect(deadlineMs).toBeGreaterThanOrEqual(0);
  expect(outputs).toEqual(['alive']);
  expect(failure).toMatchObject({ code: 'UNAVAILABLE', message: 'remote terminated call' });
}, 70_000);

test('a node that was replaced by another process waits a minute before it dials again', async () => {
  expect((await scenes.replaced).attempts).toBe(1);
}, 70_000);
