// Wire spec §1, §3, §9, §11: the node dials.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connectResponse, CRC, encode, EOF, op } from './raw-codec.js';
import { array, bin, body, map, str, time, uint } from './raw-msgpack.js';
import type { RawListener } from './raw-listener.js';
import { ROUTE } from './raw-peer.js';
import { Stage } from './stage.js';

let stage: Stage;
/** Of this test alone: the node redials each only after a second or two. */
let listener: RawListener;
let used = 0;

beforeAll(async () => {
  stage = await Stage.set({ dialers: 1, listeners: 12 });
}, 70_000);
beforeEach(() => {
  listener = stage.listeners[used++]!;
});
afterAll(() => stage.strike());

test('upgrades on the route with token and time, and asks for no extension of WebSocket', async () => {
  const peer = await listener.peer();
  const { url, headers } = peer.request!;
  expect(url).toBe(ROUTE);
  expect(headers.authorization).toBe('Bearer debug');
  const skew = Number(BigInt(headers['x-minio-time'] as string) / 1_000_000n) - Date.now();
  expect(Math.abs(skew)).toBeLessThan(10_000);
  expect(headers).not.toHaveProperty('sec-websocket-extensions');
  expect(headers).not.toHaveProperty('sec-websocket-protocol');
});

test('Connect has its keys in order, then Ext and Max', async () => {
  const peer = await listener.peer();
  const { ID, Host, Time, Token, Ext, Max } = peer.hello as {
    ID: Buffer;
    Host: string;
    Time: number;
    Token: string;
    Ext: string[];
    Max: bigint;
  };
  expect([ID.length, Host, Token]).toEqual([16, stage.local, 'debug']);
  expect(Math.abs(Time - Date.now())).toBeLessThan(10_000);
  expect(Ext).toEqual(expect.arrayContaining(['capacity', 'cancel', 'upgrade']));
  expect(Max).toBeGreaterThanOrEqual(65_536n);
  // nanoseconds of the time are the node's own business: taken from its bytes
  const raw = peer.frames[0]!;
  const at = raw.indexOf(str('Time')) + 5;
  const payload = map([
    ['ID', bin(ID)],
    ['Host', str(Host)],
    ['Time', raw.subarray(at, at + time(0).length)],
    ['Token', str(Token)],
    ['Ext', array(Ext.map(str))],
    ['Max', uint(Max)],
  ]);
  expect(raw.toString('hex')).toBe(encode({ op: op.Connect, flags: 0, payload }).toString('hex'));
});

test('without Ext in the answer the bytes are exactly v1 from then on', async () => {
  const peer = await listener.peer();
  await stage.node.reaches(listener.origin, 'connected');
  const answered = stage.node.call(listener.origin, 60, { payload: 'hello' });
  const request = await peer.next({ op: op.Request });
  const expected = encode({
    op: op.Request,
    muxId: request.muxId,
    handler: 60,
    deadlineMs: 60_000,
    flags: CRC | EOF,
    payload: 'hello',
  });
  expect(peer.frames.at(-1)!.toString('hex')).toBe(expected.toString('hex'));
  peer.send({ op: op.Response, muxId: request.muxId, flags: CRC | EOF, payload: 'world' });
  expect(await answered).toEqual({ payload: Buffer.from('world') });

  const streamed = stage.node.stream(listener.origin, 67, { many: true });
  const plain = await peer.next({ op: op.Request });
  expect([plain.flags, plain.deadlineMs]).toEqual([CRC | EOF, 60_000]);
  peer.send({ op: op.Response, muxId: plain.muxId, flags: CRC | EOF, payload: 'one' });
  expect(await streamed).toEqual({ outputs: ['one'], error: null });
});

test('serves calls of the host that it dialed', async () => {
  const peer = await listener.peer();
  expect((await peer.call(60, 'back')).payload.toString()).toBe('back');
});

test('a refusal is logged with its reason; the next attempt starts 1 to 2 s after the last', async () => {
  (await listener.socket()).socket.terminate();
  const refused = await listener.peer({ refuse: 'not on a Sunday' });
  const first = listener.attempts.at(-1)!;
  await refused.closed;
  await listener.peer();
  const gap = listener.attempts.at(-1)! - first;
  expect(gap).toBeGreaterThanOrEqual(990);
  expect(gap).toBeLessThan(12_000); // 2 s, and a busy machine
  expect(stage.node.log).toContain('not on a Sunday');
});

test('a lost connection is dialed again, and counted', async () => {
  const peer = await listener.peer();
  const { reconnects } = await stage.node.reaches(listener.origin, 'connected');
  peer.socket.terminate();
  await listener.peer();
  expect((await stage.node.reaches(listener.origin, 'connected')).reconnects).toBe(reconnects + 1);
});

test.each([
  ['garbage', Buffer.from('garbage')],
  ['another op', encode({ op: op.Ping, flags: 0 })],
  ['a body that is no map', encode({ op: op.ConnectResponse, flags: 0, payload: 'no map' })],
  [
    'a Connect',
    encode({ op: op.Connect, flags: 0, payload: connectResponse({ id: randomBytes(16), accepted: true }) }),
  ],
])('an answer that is %s ends the attempt with 1002; another follows', async (_, frame) => {
  const peer = await listener.socket();
  await peer.next({ op: op.Connect });
  peer.sendFrame(frame);
  expect((await peer.closed).code).toBe(1002);
  const next = await listener.peer();
  await next.settle();
});

test('an upgrade that is answered with 503 is a failed attempt', async () => {
  listener.refuseWith = 503;
  const before = listener.attempts.length;
  (await listener.socket()).socket.terminate();
  while (listener.attempts.length < before + 2) await once(listener.server, 'upgrade');
  listener.refuseWith = undefined;
  await (await listener.peer()).settle();
});

test('the answer to Connect is read with unknown keys and in any order', async () => {
  const peer = await listener.socket();
  expect(body((await peer.next({ op: op.Connect })).payload)['Host']).toBe(stage.local);
  const payload = map([
    ['RejectedReason', str('')],
    ['Later', array([uint(1), str('x')])],
    ['Accepted', Buffer.from([0xc3])],
    ['ID', bin(randomBytes(16))],
  ]);
  peer.send({ op: op.ConnectResponse, flags: 0, payload });
  await peer.settle();
});
