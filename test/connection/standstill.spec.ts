// A peer that stands still reads in one moment what was sent in many: it must not take that for an attack.
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Connection } from '../../lib/connection/index.js';
import { GridError } from '../../lib/errors/index.js';
import type { HandlerStream, IncomingRequest } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { socketPair, type MemorySocket } from '../../lib/testing/socket-pair.js';
import { seeded } from '../random.js';
import { turn } from '../turn.js';
import { connect, ports } from './grid-end.js';

const LIMIT = 16;
const gone = new GridError('CANCELLED', 'nobody waits');
const listener = { onResponse() {}, onError() {} };

let clock: ManualClock;
let caller: Connection;
let peer: Connection;
let peerSocket: MemorySocket;
let started: (IncomingRequest | HandlerStream)[];

async function quiet(): Promise<void> {
  for (let round = 0; round < 5; round++) await turn();
}

/** Time in which both ends do what falls due. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    clock.advance(Math.min(50, left));
    await quiet();
  }
}

beforeEach(async () => {
  clock = new ManualClock();
  started = [];
  const hold = { inCapacity: 0, outCapacity: 1, onRequest: start, onStream: start };
  const limits = { cancelsPerSecond: LIMIT };
  const sockets = socketPair();
  peerSocket = sockets[1];
  const handlers = { find: () => hold };
  [caller, peer] = await connect(sockets, ports({ clock, limits }), ports({ clock, limits, handlers }));
});
afterEach(async () => {
  expect([caller.closed, peer.closed]).toEqual([undefined, undefined]);
  caller.close(1000, '');
  await quiet();
  expect(clock.timers).toBe(0);
});

function start(call: IncomingRequest | HandlerStream): void {
  started.push(call);
}

const left = (): number => started.filter((call) => !call.aborted).length;
const init = { handler: 60, subroute: undefined, payload: undefined };
const request = (timeoutMs?: number): { cancel(error: GridError): void } =>
  caller.mux.openRequest({ ...init, timeoutMs }, listener);
const stream = (): { cancel(error: GridError): void } =>
  caller.mux.openStream({ ...init, timeoutMs: undefined, input: false, inCapacity: 0, outCapacity: 1 });

test('deadlines of many calls pass meanwhile: the connection lives, all handlers end', async () => {
  peerSocket.stall();
  for (let i = 0; i < 10 * LIMIT; i++) request(1_500);
  await pass(3_000);
  expect([caller.mux.outgoing, started.length]).toEqual([0, 0]);
  peerSocket.flow();
  await pass(2_000);
  expect([started.length, left()]).toEqual([10 * LIMIT, 0]);
});

test.each([
  ['requests', request],
  ['streams', stream],
])('many %s are cancelled meanwhile, young ones and old ones: the same', async (_kind, open) => {
  peerSocket.stall();
  const calls = Array.from({ length: 10 * LIMIT }, () => open());
  await pass(1_500);
  calls.push(...Array.from({ length: 10 * LIMIT }, () => open()));
  await quiet();
  for (const call of calls) call.cancel(gone);
  await pass(2_000);
  peerSocket.flow();
  await pass(2_500);
  expect([started.length, left()]).toEqual([20 * LIMIT, 0]);
});

test('calls that came long ago are cancelled at once', async () => {
  const calls = Array.from({ length: 10 * LIMIT }, () => stream());
  // until a ping was answered, and a second more
  await pass(11_100);
  for (const call of calls) call.cancel(gone);
  await quiet();
  expect([started.length, left()]).toEqual([10 * LIMIT, 0]);
});

test('few cancels a second never wait', async () => {
  for (let second = 0; second < 20; second++) {
    const calls = Array.from({ length: LIMIT / 4 }, () => request());
    await quiet();
    for (const call of calls) call.cancel(gone);
    await quiet();
    expect(left()).toBe(0);
    await pass(1_000);
  }
});

test('calls that are opened and cancelled all the time, at a peer that stands still now and then', async () => {
  const random = seeded(7);
  const chance = (one: number): boolean => random() * one < 1;
  let opened = 0;
  for (let step = 0; step < 400; step++) {
    if (chance(8)) peerSocket.stall();
    else if (chance(10)) peerSocket.flow();
    const calls = Array.from({ length: Math.floor(random() * 6) }, () => (chance(2) ? request() : stream()));
    opened += calls.length;
    if (chance(2)) await pass(random() * 120);
    for (const call of calls) call.cancel(gone);
    await pass(random() * 60);
  }
  peerSocket.flow();
  await pass(5_000);
  expect(caller.mux.outgoing).toBe(0);
  expect([left(), started.length <= opened]).toEqual([0, true]);
});
