import { afterEach, describe, expect, it } from '@jest/globals';
import { isDisconnected, type GridError } from '../../lib/errors/index.js';
import type { GridManager, GridOptions } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { op } from '../conformance/raw-codec.js';
import { RawHandler } from '../conformance/raw-handler.js';
import { RawListener } from '../conformance/raw-listener.js';
import type { RawPeer } from '../conformance/raw-peer.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { Neighbourhood } from './neighbourhood.js';
import { rejectionOf } from './refusal.js';

/** A peer that stops reading while everything waits to be written: over real sockets, it made by hand. */

const QUEUED_BYTES = 256 * 1_024;

let hood: Neighbourhood;
let listener: RawListener;
let grid: GridManager;
let peer: RawPeer;

afterEach(async () => {
  await hood.close();
  await listener.close();
});

async function connected(options: Partial<GridOptions> = {}): Promise<void> {
  hood = await Neighbourhood.build(1);
  const [house] = hood.houses;
  listener = await RawListener.listen((origin) => localDials(house!.origin, origin));
  const hosts = [house!.origin, listener.origin];
  grid = house!.grid({ hosts, auth: 'none', limits: { queuedBytes: QUEUED_BYTES }, ...options });
  void grid.start();
  peer = await listener.peer();
  await grid.peer(listener.origin).waitForConnect();
}

/** Requests until one is refused because the queue is full: what became of those before. */
async function fill(): Promise<Promise<GridError>[]> {
  const payload = Buffer.alloc(64 * 1_024);
  const asked: Promise<GridError>[] = [];
  let full = false;
  while (!full) {
    const error = rejectionOf(grid.peer(listener.origin).request(60, payload));
    void error.then(({ code }) => (full ||= code === 'RESOURCE_EXHAUSTED'));
    asked.push(error);
    // what the system still takes, it takes now
    await turn();
  }
  return asked.slice(0, -1);
}

/** The next connection, and that it serves. */
async function usable(): Promise<void> {
  const now = await listener.peer();
  await grid.peer(listener.origin).waitForConnect();
  const answer = grid.peer(listener.origin).request(60, 'again');
  const call = await RawHandler.called(now, { op: op.Request });
  call.respond(call.opening.payload);
  expect(await answer).toBe('again');
  expect(grid.stats().peers[0]).toMatchObject({ outgoing: 0, incoming: 0, queuedBytes: 0 });
}

describe('with a full queue and a peer that does not read', () => {
  it('B01 an ack for an unknown call, then a dead socket: calls end as disconnected, the host is back', async () => {
    await connected();
    peer.socket.pause();
    const asked = await fill();
    expect(asked.length).toBeGreaterThan(1);
    for (let muxId = 2n ** 52n; muxId < 2n ** 52n + 100n; muxId++) peer.send({ op: op.AckMux, muxId });
    const { framesIn } = grid.stats().peers[0]!;
    await until(() => grid.stats().peers[0]!.framesIn >= framesIn + 100, 'the acks were read');
    expect(grid.stats().peers[0]).toMatchObject({ state: 'connected', outgoing: asked.length });
    peer.socket.terminate();
    const ends = await Promise.all(asked);
    expect(ends.every(isDisconnected)).toBe(true);
    await usable();
  });

  it('B02 100 streams that wait to write all end in the turn in which the connection does', async () => {
    await connected();
    const calls = Array.from({ length: 100 }, () => {
      return grid.peer(listener.origin).stream<string>(69, undefined, { inCapacity: 10 });
    });
    for (const _ of calls) (await RawHandler.called(peer, { op: op.ConnectMux })).ack();
    peer.socket.pause();
    const asked = await fill();
    const errors: GridError[] = [];
    let written = 0;
    for (const call of calls) {
      call.write('x').then(
        () => written++,
        (error: GridError) => errors.push(error),
      );
    }
    await turn();
    expect([written, errors.length]).toEqual([0, 0]);
    let endedWith: number | undefined;
    grid.events.subscribe(({ type }) => {
      if (type === 'down') setImmediate(() => (endedWith = errors.length));
    });
    peer.socket.terminate();
    await until(() => endedWith !== undefined, 'the connection is lost');
    expect(endedWith).toBe(100);
    expect([written, errors.every(isDisconnected)]).toEqual([0, true]);
    for (const call of calls) expect(isDisconnected(await rejectionOf(call.done))).toBe(true);
    expect((await Promise.all(asked)).every(isDisconnected)).toBe(true);
    await usable();
  });

  it('B04 its connection is given up when no write gets on, all calls with it, and it is dialed again', async () => {
    await connected({ intervals: { writeTimeoutMs: 300, redialMs: 20 } });
    peer.socket.pause();
    const asked = await fill();
    const ends = await Promise.all(asked);
    // their deadline is a minute
    expect(ends.every(isDisconnected)).toBe(true);
    expect(grid.peer(listener.origin).state).not.toBe('connected');
    // the peer never closed its end: it cannot
    expect(peer.closing).toBeUndefined();
    await usable();
  });
});
