import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Connection } from '../../lib/connection/index.js';
import type { CallerStream, HandlerStream } from '../../lib/mux/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { socketPair, type MemorySocket } from '../../lib/testing/socket-pair.js';
import { Op } from '../../lib/wire/index.js';
import { bytes, text } from '../mux/solo-mux.js';
import { init, readAll, stream } from '../mux/streams.js';
import { until } from '../until.js';
import { connect, errorOf, handlers, ports, request } from './grid-end.js';
import { messagesOf } from './raw-peer.js';

/** More than a socket gets at a time takes five of these. */
const LARGE = Buffer.alloc(65_000, 'x');
const CAPACITY = 16;

describe('what overtakes in a full write queue keeps the order of its own call (spec §4, §6)', () => {
  let callerClock: ManualClock;
  let sockets: [MemorySocket, MemorySocket];
  let caller: Connection;
  let handler: HandlerStream;
  let call: CallerStream;

  beforeEach(async () => {
    sockets = socketPair();
    callerClock = new ManualClock();
    const both = stream((opened) => (handler = opened), CAPACITY, CAPACITY);
    const echo = { onRequest: () => {}, inCapacity: 0, outCapacity: 1 };
    const handlers = { find: (id: number) => (id === 70 ? both : echo) };
    [caller] = await connect(
      sockets,
      ports({ clock: callerClock, intervals: { streamPingMs: 1_000 } }),
      ports({ handlers }),
    );
    call = caller.mux.openStream(init(70, { input: true, inCapacity: CAPACITY }));
    await until(() => call.input.ready);
  });
  afterEach(async () => {
    caller.close(1000, 'done');
    await until(() => sockets.every(({ closed }) => closed));
  });

  it('a credit of the caller stays behind its input that waits', async () => {
    for (const item of ['a', 'b', 'c']) handler.output.send(bytes(item));
    await until(() => call.output.available === 3);
    sockets[1].stall();
    for (let sent = 0; sent < 10; sent++) call.input.send(LARGE);
    while (call.output.take());
    sockets[1].flow();
    await until(() => handler.input.available === 10 || call.over);
    expect(handler.aborted).toBeUndefined();
    await until(() => handler.output.credits === CAPACITY);
  });

  it('a credit of the handler side stays behind its output that waits', async () => {
    for (const item of ['a', 'b', 'c']) call.input.send(bytes(item));
    await until(() => handler.input.available === 3);
    sockets[0].stall();
    for (let sent = 0; sent < 10; sent++) handler.output.send(LARGE);
    while (handler.input.take());
    sockets[0].flow();
    await until(() => call.output.available === 10 || call.over);
    expect(call.over).toBe(false);
    await until(() => call.input.credits === CAPACITY);
  });

  it('the answer to a ping of a stream that has ended stays behind its end', async () => {
    const read = readAll(call.output);
    sockets[0].stall();
    for (let sent = 0; sent < 10; sent++) handler.output.send(LARGE);
    handler.output.send(bytes('last'));
    handler.output.end();
    let pinged = false;
    sockets[1].tap = (frame) => (pinged ||= messagesOf(frame).some(({ op, muxId }) => op === Op.Ping && muxId !== 0));
    callerClock.advance(1_000);
    await until(() => pinged);
    sockets[0].flow();
    await until(() => call.over);
    expect([read.items.length, read.items.at(-1), read.end?.error]).toEqual([11, 'last', undefined]);
  });

  it('credits and pings of a call of which nothing waits overtake what others wait to send', async () => {
    handler.output.send(bytes('a'));
    await until(() => call.output.available === 1);
    const arrived: Op[] = [];
    sockets[1].tap = (frame) => arrived.push(...messagesOf(frame).map(({ op }) => op));
    sockets[1].stall();
    const requests = Array.from({ length: 10 }, () => errorOf(request(caller, 60, LARGE)));
    expect(text(call.output.take())).toBe('a');
    callerClock.advance(1_000);
    sockets[1].flow();
    await until(() => arrived.filter((op) => op === Op.Request).length === 10);
    expect(arrived.indexOf(Op.UnblockSrvMux)).toBeLessThan(arrived.lastIndexOf(Op.Request));
    expect(arrived.lastIndexOf(Op.Ping)).toBeLessThan(arrived.lastIndexOf(Op.Request));
    expect(handler.aborted).toBeUndefined();
    caller.close(1000, 'done');
    for (const error of await Promise.all(requests)) expect(error).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

it('small answers go ahead of large ones that wait for the socket', async () => {
  const sockets = socketPair();
  const table = handlers();
  const [caller] = await connect(sockets, ports(), ports({ handlers: table }));
  const lengths: number[] = [];
  const calls = Array.from({ length: 11 }, async () => lengths.push((await request(caller, 62))!.length));
  await until(() => table.hung.length === 11);
  sockets[0].stall();
  for (let index = 0; index < 10; index++) table.hung[index]!.respond(LARGE);
  table.hung[10]!.respond(bytes('little'));
  sockets[0].flow();
  await Promise.all(calls);
  // five are with the socket
  expect(lengths.indexOf('little'.length)).toBe(5);
  caller.close(1000, 'done');
  await until(() => sockets.every(({ closed }) => closed));
});
