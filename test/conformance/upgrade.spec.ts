// Wire spec §11: upgrade, both ways.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { capacities, CRC, EOF, ERR, MANY, op } from './raw-codec.js';
import { body } from './raw-msgpack.js';
import { RawHandler } from './raw-handler.js';
import type { RawPeer } from './raw-peer.js';
import { runs, Stage } from './stage.js';

const UPGRADE = ['capacity', 'cancel', 'upgrade'];
let stage: Stage;
let host: string;

beforeAll(async () => {
  stage = await Stage.set();
  host = stage.dialers[0]!;
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

const many = (handler: number, payload: string): Parameters<RawPeer['ask']> => [
  handler,
  payload,
  { flags: CRC | EOF | MANY, deadlineMs: 0 },
];

describe('upgrade, the node as the handler side', () => {
  test('a single handler answers a MANY request with a Response', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    expect(await peer.call(...many(60, 'one'))).toMatchObject({
      op: op.Response,
      seq: 0,
      flags: CRC | EOF,
      payload: Buffer.from('one'),
    });
    expect((await peer.call(...many(62, '50'))).payload.toString()).toBe('done');
    expect(await peer.call(...many(61, 'broken'))).toMatchObject({ op: op.Response, flags: CRC | EOF | ERR });
    expect(await peer.call(...many(59, ''))).toMatchObject({ op: op.MuxConnectError });
  });

  test('a stream handler answers it with AckMux and goes on as a stream', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    const muxId = peer.ask(...many(63, '4,2'));
    const ack = await peer.next({ muxId, op: op.AckMux });
    expect([ack.seq, body(ack.payload)]).toEqual([0, { in: 0n, out: 1n }]);
    for (let i = 0; i < 4; i++) {
      expect((await peer.next({ muxId, op: op.MuxServerMsg })).payload).toEqual(Buffer.from([i, i]));
      peer.send({ op: op.UnblockSrvMux, muxId, seq: i + 1 });
    }
    expect((await peer.next({ muxId, op: op.MuxServerMsg })).flags).toBe(CRC | EOF);
    await peer.next({ muxId, op: op.DisconnectClientMux });
  });

  test('its input counts as ended', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    const muxId = peer.ask(...many(64, ''));
    await peer.next({ muxId, op: op.AckMux });
    expect((await peer.next({ muxId, op: op.MuxServerMsg })).payload.toString()).toBe('0');
  });

  test('its errors come as they come to a stream', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    const muxId = peer.ask(...many(66, 'over'));
    await peer.next({ muxId, op: op.AckMux });
    expect((await peer.next({ muxId, seq: 1 })).payload.toString()).toBe('a');
    expect((await peer.next({ muxId, seq: 2 })).payload.toString()).toBe('b');
    expect(await peer.next({ muxId, seq: 3 })).toMatchObject({ flags: CRC | EOF | ERR, payload: Buffer.from('over') });
  });

  test('a cancel ends it', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    const muxId = peer.ask(...many(71, '1000'));
    await peer.next({ muxId, op: op.AckMux });
    peer.send({ op: op.DisconnectServerMux, muxId, seq: 1 });
    peer.ask(60, 'free', { muxId });
    expect((await peer.next({ muxId, op: op.Response })).payload.toString()).toBe('free');
  });

  test('its deadline counts from the request and bounds the stream', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    const muxId = peer.ask(67, '', { flags: CRC | EOF | MANY, deadlineMs: 200 });
    const end = await peer.next({ muxId, flags: CRC | EOF | ERR });
    expect(end.payload.toString()).toBe('context deadline exceeded');
    await runs(peer, 0);
  });

  test('before AckMux anything but a cancel is for an unknown call', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    const muxId = peer.ask(...many(62, '150'));
    peer.send({ op: op.MuxClientMsg, muxId, seq: 1, payload: 'x' });
    expect((await peer.next({ muxId })).op).toBe(op.DisconnectClientMux);
    peer.send({ op: op.UnblockSrvMux, muxId, seq: 1 });
    expect((await peer.next({ muxId })).payload.toString()).toBe('done');
  });

  test.each<[string, string[] | undefined]>([
    ['without Ext', undefined],
    ['without upgrade', ['capacity', 'cancel']],
    ['without capacity, which it needs', ['cancel', 'upgrade']],
    ['without cancel, which it needs', ['capacity', 'upgrade']],
  ])('MANY %s is an unknown flag', async (_, ext) => {
    const peer = await stage.peer({ ext });
    peer.ask(...many(60, 'x'));
    expect((await peer.closed).code).toBe(1002);
  });

  test('MANY on anything but a Request is an unknown flag', async () => {
    const peer = await stage.peer({ ext: UPGRADE });
    peer.send({ op: op.ConnectMux, muxId: 1, handler: 63, flags: CRC | EOF | MANY, payload: '1,1' });
    expect((await peer.closed).code).toBe(1002);
  });
});

describe('upgrade, the node as the caller', () => {
  async function sent(
    options: Parameters<Stage['node']['stream']>[2] = {},
  ): Promise<[RawPeer, RawHandler, ReturnType<Stage['node']['stream']>]> {
    const peer = await stage.linked({ ext: UPGRADE });
    const done = stage.node.stream(host, 80, { ...options, many: true });
    const call = await RawHandler.called(peer, { op: op.Request, handler: 80, flags: CRC | EOF | MANY });
    return [peer, call, done];
  }

  test('takes a Response; without a deadline it sent 0', async () => {
    const [, call, done] = await sent({ payload: 'p' });
    expect([call.opening.deadlineMs, call.opening.payload.toString()]).toEqual([0, 'p']);
    call.respond('one');
    expect(await done).toEqual({ outputs: ['one'], error: null });
  });

  test('takes a stream, a credit for each delivered message', async () => {
    const [, call, done] = await sent();
    call.ack(capacities(0, 1));
    for (let i = 0; i < 5; i++) {
      call.item(`item ${i}`);
      expect((await call.next({ op: op.UnblockSrvMux })).seq).toBe(i + 1);
    }
    call.end();
    expect(await done).toEqual({ outputs: [0, 1, 2, 3, 4].map((i) => `item ${i}`), error: null });
  });

  test('takes an error end, a refusal, an error Response', async () => {
    const [, streaming, ended] = await sent();
    streaming.ack(capacities(0, 4));
    streaming.item('first');
    streaming.end('went wrong');
    expect(await ended).toEqual({
      outputs: ['first'],
      error: { code: 'UNKNOWN', message: 'went wrong', remote: true },
    });
    const [, single, failed] = await sent();
    single.respond('no such file', ERR);
    expect(await failed).toEqual({ outputs: [], error: { code: 'UNKNOWN', message: 'no such file', remote: true } });
  });

  test('cancels what it has enough of', async () => {
    const [peer, call, done] = await sent({ cancelAfter: 2 });
    call.ack(capacities(0, 8));
    for (let i = 0; i < 4; i++) call.item(String(i));
    await call.next({ op: op.DisconnectServerMux });
    expect((await done).outputs).toEqual(['0', '1']);
    await peer.settle();
  });

  test('answers an AckMux that comes too late with a cancel', async () => {
    const [, call, done] = await sent({ deadlineMs: 50 });
    expect(call.opening.deadlineMs).toBeGreaterThan(0);
    expect(call.opening.deadlineMs).toBeLessThanOrEqual(50);
    await call.next({ op: op.DisconnectServerMux });
    expect((await done).error).toMatchObject({ code: 'DEADLINE_EXCEEDED', remote: false });
    call.ack(capacities(0, 1));
    await call.next({ op: op.DisconnectServerMux });
  });
});
