// Wire spec §2, §4: what a frame may look like, and what ends the connection.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'node:net';
import { seeded } from '../random.js';
import { CRC, crc, encode, EOF, MANY, merged, METADATA, op, type MessageParts, type Widths } from './raw-codec.js';
import { array, bin, map, str, uint } from './raw-msgpack.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { Stage } from './stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.set();
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

const ask = (
  muxId: number | bigint,
  payload: Uint8Array | string = 'x',
  more: Partial<MessageParts> = {},
): MessageParts => ({
  op: op.Request,
  muxId,
  handler: 60,
  deadlineMs: 60_000,
  flags: CRC | EOF,
  payload,
  ...more,
});

describe('accepted', () => {
  test.each<[string, Widths]>([
    ['8', { muxId: 8, seq: 8, deadlineMs: 32, handler: 8, op: 8, flags: 8, payload: 16 }],
    ['16', { muxId: 16, seq: 16, deadlineMs: 32, handler: 16, op: 16, flags: 16, payload: 16 }],
    ['32', { muxId: 32, seq: 32, deadlineMs: 32, handler: 32, op: 32, flags: 32, payload: 32 }],
    ['64', { muxId: 64, seq: 64, deadlineMs: 64, handler: 64, op: 64, flags: 64, payload: 32 }],
  ])('integers in %s bits', async (_, widths) => {
    const peer = await stage.peer();
    peer.send(ask(7, 'wide'), widths);
    expect((await peer.next({ op: op.Response, muxId: 7 })).payload.toString()).toBe('wide');
  });

  test('positive numbers in signed integers', async () => {
    const peer = await stage.peer();
    const fields = [
      Buffer.from([0xd3, 0, 0, 0, 0, 0, 0, 0, 9]),
      Buffer.from([0xd0, 0]),
      Buffer.from([0xd2, 0, 0, 0xea, 0x60]),
      Buffer.from([0xd0, 60]),
      Buffer.from([0xd1, 0, op.Request]),
      Buffer.from([0xd0, EOF]),
      bin(Buffer.from('signed')),
    ];
    peer.sendFrame(array(fields));
    expect((await peer.next({ op: op.Response, muxId: 9 })).payload.toString()).toBe('signed');
  });

  test('a message in 4,000 fragments, as by a peer with a small write buffer', async () => {
    const peer = await stage.peer();
    const frame = encode(ask(9, Buffer.alloc(4_000_000, 'x')));
    for (let at = 0; at < frame.length; at += 1_000) {
      peer.socket.send(frame.subarray(at, at + 1_000), { binary: true, fin: at + 1_000 >= frame.length });
    }
    expect((await peer.next({ op: op.Response, muxId: 9 })).payload).toHaveLength(4_000_000);
  });

  test('H8 messages without a CRC, answered with one', async () => {
    const peer = await stage.peer();
    peer.send(ask(1, 'bare', { flags: EOF }));
    expect((await peer.next({ muxId: 1 })).flags).toBe(CRC | EOF);
    const stream = RawStream.open(peer, 65, '', { input: true });
    await stream.next({ op: op.AckMux });
    peer.send({ op: op.MuxClientMsg, muxId: stream.muxId, seq: 1, flags: 0, payload: 'bare' });
    expect((await stream.next({ op: op.MuxServerMsg })).payload.toString()).toBe('bare');
  });

  test.each([2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n + 1n, 2n ** 64n - 1n])(
    'muxId %s, echoed exactly',
    async (muxId) => {
      const peer = await stage.peer();
      peer.send(ask(muxId, String(muxId)));
      expect((await peer.next({ op: op.Response, muxId })).payload.toString()).toBe(String(muxId));
      const stream = RawStream.open(peer, 65, '', { input: true, muxId });
      await stream.next({ op: op.AckMux });
      stream.write('x');
      stream.end();
      expect((await stream.drain()).items).toEqual(['x']);
    },
  );

  test('muxIds that differ only beyond 2^53 are different calls', async () => {
    const peer = await stage.peer();
    const ids = [0n, 1n, 2n, 3n].map((i) => 2n ** 60n + i);
    for (const muxId of ids) peer.send(ask(muxId, '20', { handler: 62 }));
    for (const muxId of ids) expect((await peer.next({ muxId })).payload.toString()).toBe('done');
  });

  test('Merged frames of one, of many, and of mixed messages', async () => {
    const peer = await stage.peer();
    peer.sendFrame(merged([encode(ask(1, 'one'))]));
    expect((await peer.next({ muxId: 1 })).payload.toString()).toBe('one');
    const many = Array.from({ length: 300 }, (_, i) => encode(ask(100 + i, `m${i}`)));
    peer.sendFrame(merged(many));
    for (let i = 0; i < 300; i++) expect((await peer.next({ muxId: 100 + i })).payload.toString()).toBe(`m${i}`);
    const stream = [
      { op: op.ConnectMux, muxId: 5, handler: 64 },
      { op: op.MuxClientMsg, muxId: 5, seq: 1, payload: 'x' },
      { op: op.MuxClientMsg, muxId: 5, seq: 2, flags: EOF },
    ];
    peer.sendFrame(
      merged([
        encode(ask(2, 'two', { flags: EOF })),
        ...stream.map((parts) => encode(parts)),
        encode({ op: op.Ping, flags: 0 }),
      ]),
    );
    expect((await peer.next({ muxId: 2 })).payload.toString()).toBe('two');
    expect((await peer.next({ muxId: 5, op: op.MuxServerMsg })).payload.toString()).toBe('1');
    await peer.next({ op: op.Pong, muxId: 0 });
  });

  test('and sent: answers that are ready together travel together', async () => {
    const peer = await stage.peer();
    const before = peer.frames.length;
    peer.sendFrame(merged(Array.from({ length: 200 }, (_, i) => encode(ask(1 + i, `m${i}`)))));
    for (let i = 0; i < 200; i++) await peer.next({ muxId: 1 + i });
    expect(peer.frames.length - before).toBeLessThan(100);
    expect(
      peer.frames
        .slice(before)
        .some((frame) => frame[5] === op.Merged || frame[4] === op.Merged || frame[6] === op.Merged),
    ).toBe(true);
  });

  test('a payload of 16 MiB', async () => {
    const peer = await stage.peer();
    const payload = Buffer.alloc(16 * 1024 * 1024, 7);
    peer.send(ask(1, payload));
    expect((await peer.next({ muxId: 1 }, 15_000)).payload.equals(payload)).toBe(true);
  });
});

const valid = encode(ask(1));
const fields = [uint(1), uint(0), uint(60_000), uint(60), uint(14), uint(EOF), bin(Buffer.from('x'))];
const withField = (index: number, value: Buffer): Buffer =>
  array(fields.map((field, at) => (at === index ? value : field)));

const parses: [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['garbage', Buffer.from('garbage')],
  ['op 0', encode(ask(1, 'x', { op: 0 }))],
  ['op 18', encode(ask(1, 'x', { op: 18 }))],
  ['op 255', encode(ask(1, 'x', { op: 255 }))],
  ['the unknown flag METADATA', Buffer.concat([withField(5, uint(EOF | METADATA)), map([])])],
  ['the unknown flag MANY', encode(ask(1, 'x', { flags: EOF | MANY }))],
  ['a CRC that differs', Buffer.concat([valid.subarray(0, -1), Buffer.from([valid.at(-1)! ^ 1])])],
  ['a CRC cut short', valid.subarray(0, -1)],
  ['a byte left over', Buffer.concat([encode(ask(1, 'x', { flags: EOF })), Buffer.from([0])])],
  ['a CRC left over', Buffer.concat([encode(ask(1, 'x', { flags: EOF })), crc(encode(ask(1, 'x', { flags: EOF })))])],
  ['a subroute cut short', Buffer.concat([withField(5, uint(EOF | 0x20)), Buffer.alloc(31)])],
  ['an array of 6', array(fields.slice(0, 6))],
  ['an array of 8', array([...fields, uint(0)])],
  ['a map', map([['a', uint(1)]])],
  ['a negative muxId', withField(0, Buffer.from([0xff]))],
  ['a muxId that is a float', withField(0, Buffer.from([0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]))],
  ['a seq above 32 bits', withField(1, uint(2n ** 32n))],
  ['a deadline above 32 bits', withField(2, uint(2n ** 32n))],
  ['handler 256', withField(3, uint(256))],
  ['op 270', withField(4, uint(270))],
  ['flags 258', withField(5, uint(258))],
  ['a payload that is a string', withField(6, str('x'))],
  ['a payload that is nil', withField(6, Buffer.from([0xc0]))],
  ['a payload longer than the frame', withField(6, Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 1]))],
  ['a payload cut short', withField(6, bin(Buffer.from('xy'))).subarray(0, -1)],
  ['a Merged with more items than it says', merged([encode(ask(1)), encode(ask(2))], 1)],
  ['a Merged with fewer items than it says', merged([encode(ask(1))], 2)],
  ['a Merged that claims 2^32-1 items', merged([encode(ask(1))], 4_294_967_295)],
  ['a Merged inside a Merged', merged([merged([encode(ask(1))])])],
  ['a Merged whose item is no bin', Buffer.concat([encode({ op: op.Merged, seq: 1, flags: 0 }), encode(ask(1))])],
  [
    'a Merged whose item has a wrong CRC',
    merged([Buffer.concat([valid.subarray(0, -1), Buffer.from([valid.at(-1)! ^ 1])])]),
  ],
  ['a Merged with bytes left over', Buffer.concat([merged([encode(ask(1))]), Buffer.from([0])])],
];

const rules: [string, MessageParts][] = [
  ['Request', ask(0)],
  ['Response', { op: op.Response, flags: CRC | EOF }],
  ['ConnectMux', { op: op.ConnectMux, handler: 63 }],
  ['MuxClientMsg', { op: op.MuxClientMsg, payload: 'x' }],
  ['MuxServerMsg', { op: op.MuxServerMsg, payload: 'x' }],
  ['AckMux', { op: op.AckMux }],
  ['UnblockSrvMux', { op: op.UnblockSrvMux }],
  ['UnblockClMux', { op: op.UnblockClMux }],
  ['DisconnectServerMux', { op: op.DisconnectServerMux }],
  ['DisconnectClientMux', { op: op.DisconnectClientMux }],
  ['MuxConnectError', { op: op.MuxConnectError }],
];

describe('ends the connection with 1002, and only that one', () => {
  async function ends(frame: Buffer): Promise<void> {
    const bystander = await stage.peer({ host: stage.dialers[1]! });
    const peer = await stage.peer();
    peer.sendFrame(frame);
    expect((await peer.closed).code).toBe(1002);
    expect(peer.inbox).toEqual([]); // an altered request is never served
    await bystander.settle();
  }

  test.each(parses)('%s', (_, frame) => ends(frame));

  test.each(rules)('%s with muxId 0', (_, parts) => ends(encode({ ...parts, muxId: 0 })));

  test('a text frame', async () => {
    const peer = await stage.peer();
    peer.socket.send('text');
    expect((await peer.closed).code).toBe(1002);
  });

  test.each([
    ['a Request while a Request runs', ask(5, '5000', { handler: 62 }), ask(5)],
    [
      'a ConnectMux while a stream runs',
      { op: op.ConnectMux, muxId: 5, handler: 67 },
      { op: op.ConnectMux, muxId: 5, handler: 67 },
    ],
    ['a Request while a stream runs', { op: op.ConnectMux, muxId: 5, handler: 67 }, ask(5)],
    [
      'a ConnectMux while a Request runs',
      ask(5, '5000', { handler: 62 }),
      { op: op.ConnectMux, muxId: 5, handler: 67 },
    ],
  ])('a muxId in use: %s', async (_, first, second) => {
    const peer = await stage.peer();
    peer.send(first);
    await peer.settle();
    peer.send(second);
    expect((await peer.closed).code).toBe(1002);
  });
});

test('H16 no single bit of a request can be flipped without notice', async () => {
  const frame = encode(ask(1, 'flip'));
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const flipped = Buffer.from(frame);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const peer = await stage.peer();
    peer.sendFrame(flipped);
    expect([bit, (await peer.closed).code, peer.inbox]).toEqual([bit, 1002, []]);
  }
});

describe('H15 a WebSocket message that claims 2^40 bytes ends the connection with 1009', () => {
  const header = Buffer.from([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
  test.each([
    ['before the Connect', () => stage.open()],
    ['after it', () => stage.peer()],
  ])('%s', async (_, open) => {
    const peer = await open();
    tcpOf(peer).write(header);
    expect((await peer.closed).code).toBe(1009);
    await (await stage.peer()).settle();
  });

  function tcpOf(peer: RawPeer): Socket {
    return (peer.socket as unknown as { _socket: Socket })._socket;
  }
});

test('a payload above the cap ends the connection with 1009', async () => {
  const peer = await stage.peer();
  peer.send(ask(1, Buffer.alloc(16 * 1024 * 1024 + 1)));
  expect((await peer.closed).code).toBe(1009);
});

describe('random frames', () => {
  function randomFrame(next: () => number): Buffer {
    const int = (below: number): number => Math.floor(next() * below);
    if (int(3) === 0) return Buffer.from(Array.from({ length: int(60) }, () => int(256)));
    const parts: MessageParts = {
      op: int(20),
      muxId: int(4),
      seq: int(3),
      deadlineMs: int(2) * 50,
      handler: 58 + int(16),
      flags: int(4) === 0 ? int(256) : int(2) * EOF,
      payload: ['', '1,1', '20', 'x'.repeat(int(200))][int(4)],
    };
    const frame = encode(parts);
    if (int(2) === 0) frame[int(frame.length)] = int(256);
    return int(4) === 0 ? merged([frame, encode(ask(1 + int(9)))], int(8) === 0 ? int(5) : 2) : frame;
  }

  test('the process survives 400 connections of them, and another peer never notices', async () => {
    const bystander = await stage.peer({ host: stage.dialers[1]! });
    const stream = await RawStream.opened(bystander, 65, '', { input: true });
    for (let round = 0; round < 400; round++) {
      const next = seeded(round);
      const peer = await stage.peer();
      for (let i = 0; i < 12; i++) peer.sendFrame(randomFrame(next));
      peer.socket.terminate();
      peer.assertClean();
      if (round % 20 === 0) {
        stream.write(String(round));
        expect((await stream.item()).payload.toString()).toBe(String(round));
        await bystander.settle();
      }
    }
    expect(stage.node.child.exitCode).toBeNull();
    expect((await stage.node.state()).handlers.running).toBe(0);
    expect(stage.node.log).not.toMatch(/TypeError|RangeError|ReferenceError|unhandled/i);
  }, 60_000);

  test('so does it before the Connect', async () => {
    for (let round = 0; round < 50; round++) {
      const next = seeded(10_000 + round);
      const peer = await stage.open();
      for (let i = 0; i < 4; i++) peer.sendFrame(randomFrame(next));
      peer.socket.terminate();
    }
    await (await stage.peer()).settle();
  });
});
