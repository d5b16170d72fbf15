// Wire spec §1, §3, §11: a peer dials the node.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { dialedBy } from './conformance-node.js';
import { connectRequest, connectResponse, CRC, encode, EOF, merged, op } from './raw-codec.js';
import { array, bin, body, bool, map, nil, str, time, uint } from './raw-msgpack.js';
import { ROUTE, UpgradeRefused } from './raw-peer.js';
import { Stage } from './stage.js';

const MINUTE = 60_000;
let stage: Stage;
let dialed: string;

beforeAll(async () => {
  stage = await Stage.set({ hosts: (local) => [(dialed = dialedBy(local))] });
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

describe('accepts', () => {
  test('a Connect without Ext, and answers the exact v1 bytes', async () => {
    const peer = await stage.open();
    peer.connect({ host: stage.dialers[0]! });
    const { payload } = await peer.next({ op: op.ConnectResponse });
    const { ID } = body(payload);
    expect(ID).toHaveLength(16);
    const expected = connectResponse({ id: ID as Buffer, accepted: true });
    expect(peer.frames).toEqual([encode({ op: op.ConnectResponse, flags: 0, payload: expected })]);
    await peer.settle();
  });

  test('with the same ID on every connection of this process', async () => {
    const first = await stage.peer();
    const second = await stage.peer({ host: stage.dialers[1]! });
    expect(second.hello['ID']).toEqual(first.hello['ID']);
  });

  test.each([
    [
      'the known names of Ext, unknown ones skipped',
      ['upgrade', 'nonsense', 'cancel', 'capacity'],
      ['cancel', 'capacity', 'upgrade'],
    ],
    ['an Ext that shares nothing', ['nonsense'], []],
    ['an empty Ext', [], []],
  ])('%s', async (_, ext, expected) => {
    const peer = await stage.peer({ ext });
    expect([...(peer.hello['Ext'] as string[])].sort()).toEqual(expected);
    await peer.settle();
  });

  test.each([
    ['a string', str('capacity')],
    ['nil', nil],
    ['a map', map([['capacity', bool(true)]])],
    ['an array with a number', array([str('capacity'), uint(1)])],
    ['65 strings', array(Array.from({ length: 65 }, (_, i) => str(`name-${i}`)))],
  ])('an Ext that is %s as if it were absent', async (_, value) => {
    const peer = await stage.peer({ more: [['Ext', value]] });
    expect(peer.hello).not.toHaveProperty('Ext');
    await peer.settle();
  });

  test('64 strings in Ext', async () => {
    const names = [...Array.from({ length: 63 }, (_, i) => `name-${i}`), 'capacity'];
    expect((await stage.peer({ ext: names })).hello['Ext']).toEqual(['capacity']);
  });

  test.each([
    ['too small', uint(65_535)],
    ['a string', str('65536')],
    ['nil', nil],
    ['as large as it gets', uint(2n ** 64n - 1n)],
  ])('a Max that is %s', async (_, value) => {
    const peer = await stage.peer({ ext: ['capacity'], more: [['Max', value]] });
    await peer.settle();
  });

  test('keys in any order, unknown ones skipped', async () => {
    const peer = await stage.open();
    const payload = map([
      ['Token', str('debug')],
      ['Later', map([['a', array([nil, uint(7), time(0)])]])],
      ['Time', time(Date.now())],
      ['Host', str(stage.dialers[0]!)],
      ['ID', bin(randomBytes(16))],
    ]);
    peer.send({ op: op.Connect, flags: 0, payload });
    expect(body((await peer.next({ op: op.ConnectResponse })).payload)).toMatchObject({ Accepted: true });
  });

  const now = Math.floor(Date.now() / 1000);
  const seconds = Buffer.alloc(4);
  seconds.writeUInt32BE(now);
  const packed = Buffer.alloc(8);
  packed.writeBigUInt64BE((123_000_000n << 34n) | BigInt(now));
  const long = Buffer.alloc(12);
  long.writeUInt32BE(123_000_000);
  long.writeBigInt64BE(BigInt(now), 4);
  test.each([
    ['4 bytes', Buffer.concat([Buffer.from([0xd6, 0xff]), seconds])],
    ['8 bytes', Buffer.concat([Buffer.from([0xd7, 0xff]), packed])],
    ['12 bytes', Buffer.concat([Buffer.from([0xc7, 12, 0xff]), long])],
  ])('a Time in the standard timestamp extension of %s', async (_, value) => {
    const peer = await stage.open();
    const payload = map([
      ['ID', bin(randomBytes(16))],
      ['Host', str(stage.dialers[0]!)],
      ['Time', value],
      ['Token', str('debug')],
    ]);
    peer.send({ op: op.Connect, flags: 0, payload });
    expect(body((await peer.next({ op: op.ConnectResponse })).payload)).toMatchObject({ Accepted: true });
  });

  test.each([-4 * MINUTE, 4 * MINUTE])('a clock that is off by %i ms', async (skew) => {
    await (await stage.peer({ time: Date.now() + skew })).settle();
  });

  test('a first frame with a CRC', async () => {
    const peer = await stage.open();
    const payload = connectRequest({ id: randomBytes(16), host: stage.dialers[0]!, token: 'debug' });
    peer.send({ op: op.Connect, flags: CRC, payload });
    expect(body((await peer.next({ op: op.ConnectResponse })).payload)).toMatchObject({ Accepted: true });
  });
});

describe('refuses, says why, and closes', () => {
  async function refused(options: Parameters<Stage['dial']>[0]): Promise<string> {
    const peer = await stage.dial(options);
    expect(peer.hello).toMatchObject({ Accepted: false });
    expect(peer.hello['ID']).toHaveLength(16);
    await peer.closed;
    return peer.hello['RejectedReason'] as string;
  }

  test('an unknown host', async () => {
    expect(await refused({ host: 'http://stranger.test:9000' })).toContain('http://stranger.test:9000');
  });

  test.each([-6 * MINUTE, 6 * MINUTE])('a clock that is off by %i ms', async (skew) => {
    expect(await refused({ time: Date.now() + skew })).toMatch(/time|clock|skew/i);
  });

  test('a wrong token in Connect', async () => {
    expect(await refused({ token: 'wrong', headerToken: 'debug' })).toMatch(/token/i);
  });

  test('a host that should be dialed, not dial', async () => {
    expect(await refused({ host: dialed })).toContain(dialed);
  });

  test('itself', async () => {
    expect(await refused({ host: stage.local })).toContain(stage.local);
  });

  test('in the order host, time, token, side', async () => {
    const reasons = [
      await refused({ host: 'http://stranger.test:9000', time: 0, token: 'wrong', headerToken: 'debug' }),
      await refused({ host: dialed, time: 0, token: 'wrong', headerToken: 'debug' }),
      await refused({ host: dialed, token: 'wrong', headerToken: 'debug' }),
    ];
    expect(reasons[0]).toContain('http://stranger.test:9000');
    expect(reasons[1]).toMatch(/time|clock|skew/i);
    expect(reasons[2]).toMatch(/token/i);
  });

  test('once per remote address in the log, with the reason', async () => {
    for (let i = 0; i < 3; i++) await refused({ host: 'http://loud.test:9000' });
    const lines = stage.node.log.split('\n').filter((line) => line.includes('refused'));
    expect(lines).toEqual([expect.stringMatching(/127\.0\.0\.1.*\.test:9000/)]);
  });
});

test('agrees to no subprotocol', async () => {
  const peer = await stage.open({ headers: { 'sec-websocket-protocol': 'foo, bar' } });
  expect(peer.socket.protocol).toBe('');
});

describe('answers the upgrade with a status', () => {
  async function status(options: Parameters<Stage['open']>[0]): Promise<UpgradeRefused> {
    const refusal = await stage.open(options).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(UpgradeRefused);
    return refusal as UpgradeRefused;
  }

  test('401 and the reason for a wrong token', async () => {
    const refusal = await status({ headerToken: 'wrong' });
    expect(refusal.status).toBe(401);
    expect(refusal.body).toMatch(/token/i);
    expect(refusal.body).not.toContain('debug');
  });

  test('401 without a token', async () => {
    expect((await status({ headerToken: null })).status).toBe(401);
  });

  test('401 for a X-Minio-Time that is off by 6 minutes; one that is right is fine', async () => {
    const header = (skew: number): Record<string, string> => ({
      'x-minio-time': String(BigInt(Date.now() + skew) * 1_000_000n),
    });
    expect((await status({ headers: header(-6 * MINUTE) })).status).toBe(401);
    await (await stage.peer({ headers: header(0) })).settle();
  });

  test('404 for another path', async () => {
    expect((await status({ route: '/elsewhere' })).status).toBe(404);
  });
});

describe('closes with 1002 when the first frame', () => {
  const connect = encode({
    op: op.Connect,
    flags: 0,
    payload: connectRequest({ id: randomBytes(16), host: 'http://any.test:9000', token: 'debug' }),
  });
  test.each([
    ['is empty', Buffer.alloc(0)],
    ['is garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['is a Connect cut short', connect.subarray(0, connect.length - 1)],
    ['is a Connect with a byte left over', Buffer.concat([connect, Buffer.alloc(1)])],
    ['is a Connect whose body is no map', encode({ op: op.Connect, flags: 0, payload: 'no map' })],
    ['is a Connect without a Host', encode({ op: op.Connect, flags: 0, payload: map([['Token', str('debug')]]) })],
    ...(
      [
        ['string', [0xdb, 0xff, 0xff, 0xff, 0xff]],
        ['byte string', [0xc6, 0xff, 0xff, 0xff, 0xff]],
        ['array', [0xdd, 0xff, 0xff, 0xff, 0xff]],
        ['map', [0xdf, 0xff, 0xff, 0xff, 0xff]],
      ] as const
    ).map(([kind, claim]): [string, Buffer] => {
      const payload = Buffer.concat([Buffer.from([0x81]), str('Host'), Buffer.from(claim)]);
      return [`is a Connect with a ${kind} that claims 2^32-1 (H15)`, encode({ op: op.Connect, flags: 0, payload })];
    }),
    [
      'is a Connect of a map that claims 2^32-1 (H15)',
      encode({ op: op.Connect, flags: 0, payload: Buffer.from([0xdf, 255, 255, 255, 255]) }),
    ],
    ['is a Request', encode({ op: op.Request, muxId: 1, handler: 60, flags: CRC | EOF })],
    ['is a Ping', encode({ op: op.Ping, flags: 0 })],
    ['is a Merged of one Connect', merged([connect])],
    [
      'is a ConnectResponse',
      encode({ op: op.ConnectResponse, flags: 0, payload: connectResponse({ id: randomBytes(16), accepted: true }) }),
    ],
  ])('%s', async (_, frame) => {
    const peer = await stage.open();
    peer.sendFrame(frame);
    expect((await peer.closed).code).toBe(1002);
    expect(peer.frames).toEqual([]);
  });

  test('is text', async () => {
    const peer = await stage.open();
    peer.socket.send('hello');
    expect((await peer.closed).code).toBe(1002);
  });
});

test('WebSocket compression is not agreed on', async () => {
  const socket = new WebSocket(`${stage.local.replace('http', 'ws')}${ROUTE}`, {
    perMessageDeflate: true,
    headers: { authorization: 'Bearer debug' },
  });
  await once(socket, 'open');
  expect(socket.extensions).toBe('');
  socket.terminate();
});

test('a second Connect ends the connection with 1002', async () => {
  const peer = await stage.peer();
  peer.connect({ host: stage.dialers[0]! });
  expect((await peer.closed).code).toBe(1002);
});

test('a request that follows the Connect at once is served', async () => {
  const peer = await stage.open();
  peer.connect({ host: stage.dialers[0]! });
  const muxId = peer.ask(60, 'early');
  await peer.next({ op: op.ConnectResponse });
  expect((await peer.next({ op: op.Response, muxId })).payload.toString()).toBe('early');
});
