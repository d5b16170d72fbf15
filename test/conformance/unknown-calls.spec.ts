// Wire spec §6, §8: messages for calls that are not there, and pings.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CRC, EOF, ERR, op, pongBody, ZERO } from './raw-codec.js';
import { body, map, time } from './raw-msgpack.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { runs, Stage } from './stage.js';

let stage: Stage;
let peer: RawPeer;

beforeAll(async () => {
  stage = await Stage.set();
}, 70_000);
beforeEach(async () => {
  peer = await stage.peer();
});
afterEach(() => stage.clear());
afterAll(() => stage.strike());

describe('a message for an unknown call is answered with the disconnect of the other direction', () => {
  test.each([
    ['MuxClientMsg', op.MuxClientMsg, op.DisconnectClientMux],
    ['MuxServerMsg', op.MuxServerMsg, op.DisconnectServerMux],
    ['AckMux', op.AckMux, op.DisconnectServerMux],
    ['Pong', op.Pong, op.DisconnectServerMux],
  ])('%s', async (_, sent, answered) => {
    const muxId = 2n ** 63n + 5n;
    peer.send({ op: sent, muxId, seq: 4, payload: sent === op.Pong ? pongBody({}) : sent === op.AckMux ? '' : 'x' });
    expect(await peer.next({ muxId })).toMatchObject({ op: answered, flags: CRC });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test.each([
    ['MuxClientMsg with EOF', { op: op.MuxClientMsg, flags: CRC | EOF }],
    ['MuxServerMsg with EOF', { op: op.MuxServerMsg, flags: CRC | EOF }],
    ['an error MuxServerMsg with EOF', { op: op.MuxServerMsg, flags: CRC | EOF | ERR, payload: 'x' }],
    ['Response', { op: op.Response, flags: CRC | EOF, payload: 'x' }],
    ['Response of zero bytes', { op: op.Response, flags: CRC | EOF | ZERO }],
    ['MuxConnectError', { op: op.MuxConnectError, flags: CRC | EOF, payload: Buffer.from('81a54572726f72a0', 'hex') }],
    ['UnblockSrvMux', { op: op.UnblockSrvMux }],
    ['UnblockClMux', { op: op.UnblockClMux }],
    ['DisconnectClientMux', { op: op.DisconnectClientMux }],
    ['DisconnectServerMux', { op: op.DisconnectServerMux }],
    ['Pong with nf', { op: op.Pong, payload: pongBody({ notFound: true }) }],
  ])('H13 nothing for %s', async (_, parts) => {
    peer.send({ muxId: 4_711, ...parts });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test('a Ping with a Pong that says nf', async () => {
    peer.send({
      op: op.Ping,
      muxId: 4_712,
      seq: 9,
      deadlineMs: 15_000,
      payload: map([['t', time(1_700_000_000_123)]]),
    });
    const pong = await peer.next({ op: op.Pong, muxId: 4_712 });
    expect([pong.seq, pong.deadlineMs, pong.handler, pong.flags]).toEqual([9, 15_000, 0, CRC]);
    expect(body(pong.payload)).toEqual({ nf: true, e: null, t: 1_700_000_000_123 });
  });

  test('late messages of a stream that is over', async () => {
    const stream = await RawStream.opened(peer, 63, '1,1');
    await stream.drain();
    stream.credit();
    stream.cancel();
    stream.end();
    await peer.settle();
    expect(peer.inbox).toEqual([]);
    stream.write('late');
    expect((await stream.next()).op).toBe(op.DisconnectClientMux);
  });
});

describe('a stream that runs', () => {
  test('answers its Ping with the same muxId, seq, deadline and time', async () => {
    const stream = await RawStream.opened(peer, 67);
    stream.post({ op: op.Ping, deadlineMs: 15_000, payload: map([['t', time(1_700_000_000_001)]]) });
    const pong = await stream.next({ op: op.Pong });
    expect([pong.seq, pong.deadlineMs, pong.flags]).toEqual([1, 15_000, CRC]);
    expect(body(pong.payload)).toEqual({ nf: false, e: null, t: 1_700_000_000_001 });
  });

  test.each([
    ['empty', Buffer.alloc(0)],
    ['an empty map', map([])],
    ['garbage', Buffer.from([0xc1, 0xff])],
    [
      'long',
      map([
        ['x', time(0)],
        ['t', time(5_000)],
        ['y', time(0)],
      ]),
    ],
  ])('answers a Ping whose payload is %s', async (_, payload) => {
    const stream = await RawStream.opened(peer, 67);
    stream.post({ op: op.Ping, payload });
    expect(body((await stream.next({ op: op.Pong })).payload)).toMatchObject({ nf: false });
    await runs(peer, 1);
  });

  test('H1: a disconnect of the other direction does not touch it', async () => {
    const stream = await RawStream.opened(peer, 67);
    peer.send({ op: op.DisconnectClientMux, muxId: stream.muxId });
    peer.send({ op: op.MuxServerMsg, muxId: stream.muxId, seq: 1, payload: 'x' });
    expect((await stream.next()).op).toBe(op.DisconnectServerMux);
    await runs(peer, 1);
  });
});

describe('the connection', () => {
  test.each([
    ['with a time', map([['t', time(1_700_000_000_500)]]), 1_700_000_000_500],
    ['without a body', Buffer.alloc(0), undefined],
    ['with an odd body', Buffer.from([0xc1]), undefined],
  ])('answers a Ping %s', async (_, payload, expected) => {
    peer.send({ op: op.Ping, flags: 0, deadlineMs: 10_000, payload });
    const pong = await peer.next({ op: op.Pong, muxId: 0 });
    expect([pong.seq, pong.deadlineMs, pong.flags]).toEqual([0, 10_000, CRC]);
    const { nf, e, t } = body(pong.payload);
    expect([nf, e]).toEqual([false, null]);
    if (expected !== undefined) expect(t).toBe(expected);
  });

  test('takes a Ping with a CRC, too', async () => {
    peer.send({ op: op.Ping, flags: CRC, deadlineMs: 10_000 });
    await peer.next({ op: op.Pong, muxId: 0 });
  });

  test('takes a Pong that nobody asked for', async () => {
    peer.send({ op: op.Pong, payload: pongBody({}) });
    peer.send({ op: op.Pong });
    peer.send({ op: op.Pong, payload: pongBody({ notFound: true, error: 'odd' }) });
    await peer.settle();
  });

  test('ignores a Disconnect that was not negotiated', async () => {
    peer.send({ op: op.Disconnect, payload: 'bye' });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });
});
