// Wire spec §11: drain, both ways. Each test has a node of its own: it is told to go.
import { afterEach, describe, expect, test } from '@jest/globals';
import { until } from './hang-budget.js';
import { CRC, EOF, op, type RawMessage } from './raw-codec.js';
import { body } from './raw-msgpack.js';
import { RawHandler } from './raw-handler.js';
import { UpgradeRefused, type RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { Stage } from './stage.js';

const DRAIN = ['drain'];

let stage: Stage;
let host: string;

async function set(ext: string[] | undefined): Promise<RawPeer> {
  stage = await Stage.set();
  host = stage.dialers[0]!;
  const peer = await stage.linked({ ext });
  return peer;
}

afterEach(async () => {
  await stage.clear();
  await stage.strike();
});

const echoed = async (peer: RawPeer): Promise<string> => (await peer.call(60, 'x')).payload.toString();

describe('the node drains', () => {
  test('it says so, serves what runs, refuses what is new, and closes with 1001 when all is over', async () => {
    const peer = await set(DRAIN);
    const slow = peer.ask(62, '400');
    const stream = await RawStream.opened(peer, 71, '20');
    await peer.settle();
    const left = stage.node.stop();
    const said = await peer.next({ op: op.Disconnect });
    expect(said).toMatchObject({ muxId: 0n, seq: 0, deadlineMs: 0, handler: 0, flags: CRC });
    expect(said.payload.length).toBeGreaterThan(0);
    expect(said.payload.length).toBeLessThanOrEqual(1_024);
    const refusal = await peer.call(60, 'new');
    expect([refusal.op, body(refusal.payload)]).toEqual([op.MuxConnectError, { Error: 'draining' }]);
    await expect(stage.open()).rejects.toMatchObject({ status: 503 } satisfies Partial<UpgradeRefused>);
    expect((await stream.drain()).items).toHaveLength(20);
    expect((await peer.next({ muxId: slow })).payload.toString()).toBe('done');
    expect((await peer.closed).code).toBe(1001);
    expect(await left).toMatchObject({ code: 0 });
  }, 70_000);

  test('a stream that is still open at the end of its time gets nothing more', async () => {
    const peer = await set(DRAIN);
    const { muxId } = await RawStream.opened(peer, 67);
    const left = stage.node.stop();
    expect((await peer.closed).code).toBe(1001);
    expect(peer.inbox.filter((message) => message.muxId === muxId)).toEqual([]);
    expect(await left).toMatchObject({ code: 0 });
  }, 70_000);

  test('it may still call for what runs, and a peer that drains too does not stop it', async () => {
    const peer = await set(DRAIN);
    const calling = stage.node.call(host, 80);
    const call = await RawHandler.called(peer, { op: op.Request });
    const left = stage.node.stop();
    await peer.next({ op: op.Disconnect });
    peer.send({ op: op.Disconnect, payload: 'I go too' });
    call.respond('in time');
    expect(await calling).toMatchObject({ payload: Buffer.from('in time') });
    expect(await left).toMatchObject({ code: 0 });
  }, 70_000);

  test('a peer without the extension is told nothing: refusals, then the close', async () => {
    const peer = await set(undefined);
    const slow = peer.ask(62, '300');
    await peer.settle();
    const left = stage.node.stop();
    const refusal = await until(async () => {
      const answer: RawMessage = await peer.call(60, 'new');
      return answer.op === op.MuxConnectError && answer;
    }, 'new calls are served on');
    expect(body(refusal.payload)).toEqual({ Error: 'draining' });
    expect((await peer.next({ muxId: slow })).payload.toString()).toBe('done');
    expect((await peer.closed).code).toBe(1001);
    expect(peer.inbox.filter((message) => message.op === op.Disconnect)).toEqual([]);
    expect(await left).toMatchObject({ code: 0 });
  }, 70_000);
});

test('a peer that drains gets no new calls and keeps the old ones; its own are served; only it closes', async () => {
  const peer = await set(DRAIN);
  const old = stage.node.call(host, 80);
  const call = await RawHandler.called(peer, { op: op.Request });
  const stream = stage.node.stream(host, 81);
  const flow = await RawHandler.called(peer, { op: op.ConnectMux });
  flow.ack();
  peer.send({ op: op.Disconnect, payload: 'going' });
  // said again it is ignored
  peer.send({ op: op.Disconnect, payload: 'going' });
  expect(await echoed(peer)).toBe('x');
  expect(await stage.node.call(host, 80)).toMatchObject({ code: 'UNAVAILABLE', remote: false });
  call.respond('old');
  expect(await old).toMatchObject({ payload: Buffer.from('old') });
  flow.item('still');
  await flow.next({ op: op.UnblockSrvMux });
  flow.end();
  expect((await stream).outputs).toEqual(['still']);
  // nothing is open any more, and still it is not the node that closes
  expect(await echoed(peer)).toBe('x');
  expect(peer.inbox.filter((message) => message.op === op.Request)).toEqual([]);
  peer.socket.close(1001);
  await stage.node.reaches(host, 'disconnected');
  const next = await stage.linked({ ext: DRAIN });
  const anew = stage.node.call(host, 80);
  (await RawHandler.called(next, { op: op.Request, flags: CRC | EOF })).respond('anew');
  expect(await anew).toMatchObject({ payload: Buffer.from('anew') });
  next.send({ op: op.Disconnect, muxId: 5, payload: 'with a muxId' });
  expect((await next.closed).code).toBe(1002);
}, 70_000);
