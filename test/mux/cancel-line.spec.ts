import { afterEach, expect, test } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import type { CallHandler, IncomingRequest, OutgoingRequest } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { muxPair, type MuxPair } from '../../lib/testing/mux-pair.js';

const LIMIT = 10;
const gone = new GridError('CANCELLED', 'nobody waits');

let clock: ManualClock;
let pair: MuxPair;
let held: IncomingRequest[];

afterEach(() => pair.cut());

/** Open requests whose handlers run. */
async function requests(count: number, timeoutMs?: number): Promise<OutgoingRequest[]> {
  clock = new ManualClock();
  held = [];
  const holds: CallHandler = { onRequest: (call) => held.push(call), inCapacity: 0, outCapacity: 1 };
  pair = muxPair({ clock, handlersB: { 60: holds }, limits: { cancelsPerSecond: LIMIT } });
  const listener = { onResponse: () => {}, onError: () => {} };
  const init = { handler: 60, subroute: undefined, payload: undefined, timeoutMs };
  const opened = Array.from({ length: count }, () => pair.a.openRequest(init, listener));
  await pair.settle();
  expect(held).toHaveLength(count);
  return opened;
}

const abortedHandlers = (): number => held.filter((call) => call.aborted).length;

test('more young calls than cancelsPerSecond may be cancelled by one signal: all handlers hear of it', async () => {
  const opened = await requests(10 * LIMIT);
  for (const request of opened) request.cancel(gone);
  await pair.settle();
  expect(pair.a.outgoing).toBe(0);
  expect(abortedHandlers()).toBe(LIMIT / 2);
  clock.advance(1_000);
  await pair.settle();
  // the peer may have got them a little later
  expect(abortedHandlers()).toBe(LIMIT / 2);
  clock.advance(250);
  await pair.settle();
  expect(abortedHandlers()).toBe(10 * LIMIT);
  expect(pair.aborted).toBeUndefined();
  expect(clock.timers).toBe(0);
});

test('old calls and those whose time is half over do not wait', async () => {
  const opened = await requests(10 * LIMIT, 400);
  clock.advance(200);
  for (const request of opened) request.cancel(gone);
  await pair.settle();
  expect([abortedHandlers(), pair.aborted]).toEqual([10 * LIMIT, undefined]);
});

test('cancels that wait end with the connection', async () => {
  const opened = await requests(2 * LIMIT);
  for (const request of opened) request.cancel(gone);
  expect(clock.timers).toBeGreaterThan(0);
  pair.cut();
  expect(clock.timers).toBe(0);
});
