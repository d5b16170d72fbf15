import { afterEach, describe, expect, test } from '@jest/globals';
import { GridError } from '../../lib/errors/index.js';
import type {
  CallerStream,
  CallHandler,
  HandlerStream,
  IncomingRequest,
  OutgoingRequest,
} from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Op } from '../../lib/wire/index.js';
import { muxPair, type MuxPair } from './mux-pair.js';
import { bytes } from './solo-mux.js';
import { init } from './streams.js';

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
  const opened = Array.from({ length: count }, () => pair.a.openRequest(init(60, { timeoutMs }), listener));
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

/** Open streams and requests that take one too, whose handlers run. */
async function streams(
  count: number,
  kind: 'stream' | 'many',
): Promise<{ cancels: (() => void)[]; handlers: HandlerStream[] }> {
  clock = new ManualClock();
  const handlers: HandlerStream[] = [];
  const item = (call: HandlerStream): void => {
    handlers.push(call);
    call.output.send(bytes('item'));
  };
  const onRequest = (call: IncomingRequest): void => item(call.upgrade());
  const handler: CallHandler = { onRequest, onStream: item, inCapacity: 0, outCapacity: 2 };
  pair = muxPair({ clock, handlersB: { 60: handler }, limits: { cancelsPerSecond: LIMIT } });
  const cancels = Array.from({ length: count }, () => {
    if (kind === 'stream') {
      const stream = pair.a.openStream(init(60));
      return () => stream.cancel(gone);
    }
    let stream: CallerStream | undefined;
    pair.a.openRequest(init(60), { onResponse() {}, onError() {}, onStream: (came) => (stream = came) });
    return () => stream!.cancel(gone);
  });
  await pair.settle();
  expect(handlers).toHaveLength(count);
  return { cancels, handlers };
}

describe.each(['stream', 'many'] as const)('a %s of which one item is taken', (kind) => {
  test('many of them may be cancelled at once: all handlers hear of it, and nobody calls it an attack', async () => {
    const { cancels, handlers } = await streams(10 * LIMIT, kind);
    for (const cancel of cancels) cancel();
    await pair.settle();
    expect([pair.a.outgoing, handlers.filter((call) => call.aborted).length]).toEqual([0, LIMIT / 2]);
    // what they send meanwhile asks for no second cancel, which would be counted
    for (const call of handlers) if (call.output.ready) call.output.send(bytes('more'));
    await pair.settle();
    expect(handlers.filter((call) => call.aborted)).toHaveLength(LIMIT / 2);
    clock.advance(1_250);
    await pair.settle();
    expect(handlers.filter((call) => call.aborted)).toHaveLength(10 * LIMIT);
    for (const call of handlers) call.output.end();
    expect([pair.aborted, pair.b.incoming, pair.b.running, clock.timers]).toEqual([undefined, 0, 0, 0]);
    const told = pair.aToB.delivered.filter(({ op }) => op === Op.DisconnectServerMux);
    expect(told).toHaveLength(10 * LIMIT);
  });

  test('those that end meanwhile need no cancel', async () => {
    const { cancels, handlers } = await streams(LIMIT, kind);
    for (const cancel of cancels) cancel();
    for (const call of handlers) call.output.end();
    await pair.settle();
    expect(clock.timers).toBe(0);
    const told = pair.aToB.delivered.filter(({ op }) => op === Op.DisconnectServerMux);
    expect(told).toHaveLength(LIMIT / 2);
  });
});

test('requests that are cancelled and answered by a stream then: its ack asks for no second cancel', async () => {
  clock = new ManualClock();
  const asked: IncomingRequest[] = [];
  const handler: CallHandler = { onRequest: (call) => asked.push(call), inCapacity: 0, outCapacity: 2 };
  pair = muxPair({ clock, handlersB: { 60: handler }, limits: { cancelsPerSecond: LIMIT } });
  const listener = { onResponse() {}, onError() {}, onStream() {} };
  const opened = Array.from({ length: 3 * LIMIT }, () => pair.a.openRequest(init(60), listener));
  await pair.settle();
  for (const request of opened) request.cancel(gone);
  await pair.settle();
  const open = asked.filter((call) => !call.aborted).map((call) => call.upgrade());
  await pair.settle();
  expect([open.length, open.filter((call) => call.aborted).length]).toEqual([2.5 * LIMIT, 0]);
  clock.advance(1_250);
  await pair.settle();
  expect([open.filter((call) => call.aborted).length, pair.aborted, clock.timers]).toEqual([2.5 * LIMIT, undefined, 0]);
});

test('cancels that wait end with the connection', async () => {
  const opened = await requests(2 * LIMIT);
  for (const request of opened) request.cancel(gone);
  expect(clock.timers).toBeGreaterThan(0);
  pair.cut();
  expect(clock.timers).toBe(0);
});
