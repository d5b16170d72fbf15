// Wire spec §3, §9: connections that end and are replaced.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { volume } from '../scale.js';
import { op } from './raw-codec.js';
import { body } from './raw-msgpack.js';
import { RawHandler } from './raw-handler.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { until } from './hang-budget.js';
import { running, runs, Stage } from './stage.js';

let stage: Stage;
let host: string;

beforeAll(async () => {
  stage = await Stage.set();
  host = stage.dialers[0]!;
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

/** Waits until no handler of the node runs; asked over a connection that stays. */
async function idle(peer: RawPeer): Promise<void> {
  await until(async () => (await running(peer)) === 0, 'handlers still run');
}

describe('a second connection of a host', () => {
  test('replaces the first, which is closed with 4001', async () => {
    const old = await stage.peer();
    const now = await stage.peer();
    expect((await old.closed).code).toBe(4001);
    await now.settle();
    expect((await stage.node.peer(host)).state).toBe('connected');
  });

  test('ends the calls of the first as disconnected, both ways', async () => {
    const old = await stage.linked();
    await RawStream.opened(old, 67);
    await RawStream.opened(old, 69, '', { input: true });
    const failed = stage.node.call(host, 80);
    const cut = stage.node.stream(host, 81);
    await RawHandler.called(old, { op: op.Request });
    (await RawHandler.called(old, { op: op.ConnectMux })).ack();
    await runs(old, 2);
    const now = await stage.peer();
    expect(await failed).toEqual({ code: 'UNAVAILABLE', message: 'remote disconnected', remote: false });
    expect((await cut).error).toEqual({ code: 'UNAVAILABLE', message: 'remote disconnected', remote: false });
    await idle(now);
  });

  test('H14 never carries what belongs to the first', async () => {
    const old = await stage.peer();
    const ids = Array.from({ length: 50 }, (_, i) => BigInt(1_000 + i));
    for (const muxId of ids) old.ask(62, '150', { muxId });
    const streams = ids.slice(0, 20).map((muxId) => RawStream.open(old, 65, '', { muxId: muxId + 500n, input: true }));
    for (const stream of streams) await stream.next({ op: op.AckMux });
    const now = await stage.peer();
    for (const muxId of ids) now.ask(60, `new ${muxId}`, { muxId });
    for (const muxId of ids) expect((await now.next({ muxId })).payload.toString()).toBe(`new ${muxId}`);
    expect((await now.call(62, '400', { muxId: 9_999 })).payload.toString()).toBe('done'); // the old ones are long over
    expect(now.inbox).toEqual([]);
  });

  test('knows nothing of the streams of the first', async () => {
    const old = await stage.peer();
    const stream = await RawStream.opened(old, 67, '', { muxId: 77n });
    const now = await stage.peer();
    now.send({ op: op.Ping, muxId: stream.muxId, seq: 1 });
    const pong = await now.next({ op: op.Pong, muxId: 77 });
    expect(body(pong.payload)).toMatchObject({ nf: true });
    now.send({ op: op.MuxClientMsg, muxId: stream.muxId, seq: 1, payload: 'x' });
    expect((await now.next({ muxId: 77 })).op).toBe(op.DisconnectClientMux);
  });

  test(`B09 twenty at once: one is left, and it works both ways, ${volume(5, 500)} times`, async () => {
    for (let round = 0; round < volume(5, 500); round++) {
      const peers = await Promise.all(Array.from({ length: 20 }, () => stage.peer()));
      const open = await until(async () => {
        const left = peers.filter((peer) => peer.closing === undefined);
        return left.length === 1 && left[0];
      }, 'more than one connection is left');
      await open.settle();
      const answered = stage.node.call(host, 80, { payload: 'there' });
      (await RawHandler.called(open, { op: op.Request })).respond('and back');
      expect(await answered).toEqual({ payload: Buffer.from('and back') });
      expect(peers.filter((peer) => peer !== open).map((peer) => peer.closing?.code)).toEqual(Array(19).fill(4001));
      await stage.clear();
    }
  }, 600_000);
});

test('a lost connection aborts the handlers of its calls', async () => {
  const watcher = await stage.peer({ host: stage.dialers[1]! });
  const peer = await stage.peer();
  await RawStream.opened(peer, 67);
  await RawStream.opened(peer, 69, '', { input: true });
  await runs(watcher, 2);
  peer.socket.terminate();
  await idle(watcher);
});

test('a clean close does the same, and is answered', async () => {
  const watcher = await stage.peer({ host: stage.dialers[1]! });
  const peer = await stage.peer();
  await RawStream.opened(peer, 67);
  await peer.close();
  await idle(watcher);
  await stage.node.reaches(host, 'disconnected');
});

test('P30 a call that waits ends, and the next connection serves', async () => {
  const peer = await stage.linked();
  const failed = stage.node.call(host, 80);
  await RawHandler.called(peer, { op: op.Request });
  peer.socket.terminate();
  expect(await failed).toMatchObject({ code: 'UNAVAILABLE' });
  const now = await stage.linked();
  const answered = stage.node.call(host, 80);
  (await RawHandler.called(now, { op: op.Request })).respond('back');
  expect(await answered).toEqual({ payload: Buffer.from('back') });
});

test('two peers at once do not know of each other', async () => {
  const [one, two] = [await stage.peer(), await stage.peer({ host: stage.dialers[1]! })];
  const same = { muxId: 5n };
  one.ask(62, '60', same);
  two.ask(60, 'two', same);
  expect((await two.next({ muxId: 5 })).payload.toString()).toBe('two');
  expect((await one.next({ muxId: 5 })).payload.toString()).toBe('done');
  one.socket.terminate();
  await two.settle();
});
