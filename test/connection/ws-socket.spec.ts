import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocketServer, type WebSocket } from 'ws';
import { wsSocket, type FrameListener, type FrameSocket } from '../../lib/connection/index.js';
import { joined, SplitFrame, type Frame } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';

const MAX_PAYLOAD = 100_000;

class Events implements FrameListener {
  readonly list: unknown[][] = [];

  onFrame(frame: Frame): void {
    this.list.push(['frame', frame.length]);
  }

  onViolation(code: number): void {
    this.list.push(['violation', code]);
  }

  onClose(code: number, reason: string): void {
    this.list.push(['close', code, reason]);
  }
}

/** A WebSocket frame as a client sends it, masked with zeros. */
function wsFrame(firstByte: number, payload: Uint8Array, masked = true): Buffer {
  const length =
    payload.length < 126
      ? Buffer.from([payload.length])
      : Buffer.from([126, payload.length >> 8, payload.length & 0xff]);
  if (masked) length[0]! |= 0x80;
  return Buffer.concat([Buffer.from([firstByte]), length, Buffer.alloc(masked ? 4 : 0), payload]);
}

/** A Node that cannot be made to read into memory of ours. */
function keepReads(stream: Socket): void {
  Object.assign(Reflect.get(stream, '_handle') as object, { useUserBuffer: undefined });
}

describe.each([
  { name: 'with what is below it', knowsBelow: true, ownsReads: true, hasOther: false },
  { name: 'with what is below it, whose reads are Node\'s', knowsBelow: true, ownsReads: false, hasOther: false },
  { name: 'with what is below it and who listens there', knowsBelow: true, ownsReads: false, hasOther: true },
  { name: 'alone', knowsBelow: false, ownsReads: false, hasOther: false },
])('a message socket of ws, $name', ({ knowsBelow, ownsReads, hasOther }) => {
  let server: WebSocketServer;
  let tcp: Socket;
  let ws: WebSocket;
  /** What is below `ws`. */
  let stream: Socket;
  let socket: FrameSocket;
  let events: Events;
  let received: Buffer;
  let heardByOther: number;

  beforeEach(async () => {
    server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      maxPayload: MAX_PAYLOAD,
      perMessageDeflate: false,
      maxFragments: 2,
    });
    await once(server, 'listening');
    // by hand, so that the test can break every rule of RFC 6455
    tcp = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
    // a reset: the tests look at what came before it, and at 'close'
    tcp.on('error', () => undefined);
    received = Buffer.alloc(0);
    tcp.on('data', (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
    tcp.write(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n',
    );
    tcp.write('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    let request: IncomingMessage;
    [ws, request] = (await once(server, 'connection')) as [WebSocket, IncomingMessage];
    stream = request.socket;
    await until(() => received.includes('\r\n\r\n'));
    received = Buffer.alloc(0);
    if (!ownsReads) keepReads(stream);
    const below = { stream, masks: false, maxBytes: MAX_PAYLOAD };
    heardByOther = 0;
    if (hasOther) stream.prependListener('data', ({ length }: Buffer) => (heardByOther += length));
    socket = wsSocket(ws, '127.0.0.1', knowsBelow ? below : undefined);
    events = new Events();
  });
  afterEach(async () => {
    tcp.destroy();
    socket.terminate();
    server.close();
    await once(server, 'close');
  });

  const closeCodeSent = (): number => received.readUInt16BE(received.lastIndexOf(0x88) + 2);

  it('delivers binary messages, and keeps what came before anybody listened', async () => {
    tcp.write(Buffer.concat([wsFrame(0x82, Buffer.alloc(5)), wsFrame(0x82, Buffer.alloc(300))]));
    await turn();
    await turn();
    socket.listen(events);
    await until(() => events.list.length === 2);
    expect(events.list).toEqual([
      ['frame', 5],
      ['frame', 300],
    ]);
    expect(socket.remoteAddress).toBe('127.0.0.1');
  });

  it('leaves a frame in two pieces as it came where it reads past ws, unless they are one in its memory', async () => {
    const taken: Frame[] = [];
    let byWs = 0;
    ws.on('message', () => byWs++);
    socket.listen({ onFrame: (frame) => taken.push(frame), onViolation() {}, onClose() {} });
    const frame = wsFrame(0x82, Buffer.alloc(100, 7));
    tcp.write(frame.subarray(0, 50));
    await once(stream, 'data');
    tcp.write(frame.subarray(50));
    await until(() => taken.length === 1);
    expect(taken[0] instanceof SplitFrame).toBe(knowsBelow && !hasOther && !ownsReads);
    expect(byWs).toBe(knowsBelow && !hasOther ? 0 : 1);
    expect(heardByOther).toBe(hasOther ? frame.length : 0);
    expect(joined(taken[0]!)).toEqual(Buffer.alloc(100, 7));
  });

  it('who counts what comes does so behind what reads it, past the first fragment too', async () => {
    socket.listen(events);
    const toldBefore: number[] = [];
    stream.on('data', () => toldBefore.push(events.list.length));
    for (const [first, told] of [
      [0x82, 1],
      [0x02, 1],
      [0x80, 2],
    ] as const) {
      const counted = once(stream, 'data');
      tcp.write(wsFrame(first, Buffer.alloc(1)));
      await counted;
      expect(toldBefore.at(-1)).toBe(told);
    }
  });

  it('reads fragments, and what comes between and behind them', async () => {
    socket.listen(events);
    const ping = wsFrame(0x89, Buffer.from('still there?'));
    const pieces = [wsFrame(0x82, Buffer.alloc(1)), ping, wsFrame(0x02, Buffer.alloc(2)), ping];
    tcp.write(Buffer.concat([...pieces, wsFrame(0x80, Buffer.alloc(3)), wsFrame(0x82, Buffer.alloc(4))]));
    await until(() => events.list.length === 3);
    expect(events.list).toEqual([
      ['frame', 1],
      ['frame', 5],
      ['frame', 4],
    ]);
    const pong = wsFrame(0x8a, Buffer.from('still there?'), false);
    await until(() => received.length === 2 * pong.length);
    expect(received.equals(Buffer.concat([pong, pong]))).toBe(true);
  });

  it.each([
    ['a text message', wsFrame(0x81, Buffer.from('hi')), 1002],
    ['text that is not UTF-8', wsFrame(0x81, Buffer.from([0xc3, 0x28])), 1007],
    ['an unmasked frame', wsFrame(0x82, Buffer.alloc(5), false), 1002],
    ['a compressed frame', wsFrame(0xc2, Buffer.alloc(5)), 1002],
    ['an unknown opcode', wsFrame(0x83, Buffer.alloc(5)), 1002],
    ['a long ping', wsFrame(0x89, Buffer.alloc(200)), 1002],
    ['a ping in pieces', wsFrame(0x09, Buffer.alloc(5)), 1002],
    [
      'a text message behind a binary one',
      Buffer.concat([wsFrame(0x82, Buffer.alloc(0)), wsFrame(0x81, Buffer.from('hi'))]),
      1002,
    ],
    ['a message inside another', Buffer.concat([wsFrame(0x02, Buffer.alloc(1)), wsFrame(0x82, Buffer.alloc(1))]), 1002],
    ['H15 a length of 2^63-1', Buffer.from('82ff7fffffffffffffff', 'hex'), 1009],
    ['H15 a length of 2^40', Buffer.from('82ff0000010000000000', 'hex'), 1009],
    ['H15 the cap + 1', Buffer.concat([Buffer.from('82ff', 'hex'), Buffer.from('00000000000186a1', 'hex')]), 1009],
    [
      'too many fragments',
      Buffer.concat([0x02, 0x00, 0x00, 0x00].map((first) => wsFrame(first, Buffer.alloc(1)))),
      1008,
    ],
  ])('%s is a violation', async (_, bytes, code) => {
    socket.listen(events);
    tcp.write(bytes);
    const told = (): unknown[][] => events.list.filter(([kind]) => kind !== 'frame');
    await until(() => told().length > 0);
    expect(told()).toEqual([['violation', code]]);
    socket.close(code, 'so it is');
    await until(() => received.length > 0);
    expect(closeCodeSent()).toBe(code);
    tcp.destroy();
    await until(() => told().length > 1);
    expect(told().slice(1)).toEqual([['close', expect.any(Number), '']]);
  });

  it('tells the code and reason of the other end, once', async () => {
    socket.listen(events);
    tcp.write(wsFrame(0x88, Buffer.concat([Buffer.from([0x0f, 0xa1]), Buffer.from('replaced')])));
    await until(() => events.list.length > 0);
    socket.terminate();
    socket.close(1000, '');
    await turn();
    expect(events.list).toEqual([['close', 4001, 'replaced']]);
  });

  it('a write that comes behind the goodbye of the other end does not hide why it is closed', async () => {
    socket.listen(events);
    tcp.write(wsFrame(0x88, Buffer.concat([Buffer.from([0x0f, 0xa1]), Buffer.from('replaced')])));
    expect(socket.closing).toBe(false);
    await until(() => ws.readyState === ws.CLOSING);
    expect(socket.closing).toBe(true);
    for (const room of [0, 20]) {
      const done = (error?: Error): unknown => events.list.push(['written', error === undefined]);
      socket.send(Buffer.alloc(40).subarray(room), done, room);
    }
    await until(() => events.list.length === 3);
    expect(events.list).toEqual([
      ['close', 4001, 'replaced'],
      ['written', false],
      ['written', false],
    ]);
  });

  it('a socket that is reset is closed with 1006, not a violation', async () => {
    socket.listen(events);
    tcp.resetAndDestroy();
    await until(() => events.list.length > 0);
    await turn();
    expect(events.list).toEqual([['close', 1006, knowsBelow ? 'ECONNRESET' : '']]);
  });

  it('a socket that ends without a goodbye is closed with 1006 alone', async () => {
    socket.listen(events);
    tcp.end();
    await until(() => events.list.length > 0);
    expect(events.list).toEqual([['close', 1006, '']]);
  });

  it('reads nothing of a paused socket, and all of it afterwards', async () => {
    socket.listen(events);
    ws.pause();
    tcp.write(wsFrame(0x82, Buffer.alloc(5)));
    await turn();
    await turn();
    expect(events.list).toEqual([]);
    ws.resume();
    await until(() => events.list.length === 1);
    expect(events.list).toEqual([['frame', 5]]);
  });

  const started = wsFrame(0x82, Buffer.alloc(100)).subarray(0, 15);
  it.each([
    ['the rest of a frame', started, Buffer.alloc(90, 0x81), []],
    [
      'that and whole frames',
      started,
      Buffer.concat([Buffer.alloc(91), wsFrame(0x82, Buffer.alloc(5)), wsFrame(0x82, Buffer.alloc(6)).subarray(0, 9)]),
      [
        ['frame', 100],
        ['frame', 5],
      ],
    ],
    [
      'what breaks a rule',
      started,
      Buffer.concat([Buffer.alloc(91), wsFrame(0x81, Buffer.from('hi')), wsFrame(0x82, Buffer.alloc(5))]),
      [
        ['frame', 100],
        ['violation', 1002],
        ['frame', 5],
      ],
    ],
    ['the rest of the fragments', wsFrame(0x02, Buffer.alloc(1)), wsFrame(0x80, Buffer.alloc(2)), [['frame', 3]]],
  ])('reads %s that waits in a paused socket when it closes', async (_name, first, waiting, told) => {
    socket.listen(events);
    tcp.write(first);
    await once(stream, 'data');
    ws.pause();
    // where the reads are ours a paused socket reads nothing: what waits came before
    if (ownsReads) stream.push(waiting);
    else tcp.write(waiting);
    await until(() => stream.readableLength === waiting.length);
    socket.terminate();
    await until(() => events.list.some(([kind]) => kind === 'close'));
    expect(events.list).toEqual([...told, ['close', 1006, '']]);
    expect(stream.readableLength).toBe(0);
  });

  it('tells who listens late that it is closed', async () => {
    socket.terminate();
    await turn();
    await turn();
    socket.listen(events);
    await until(() => events.list.length > 0);
    expect(events.list).toEqual([['close', 1006, '']]);
  });

  it('cuts a reason at a character, at most 123 bytes', async () => {
    socket.listen(events);
    socket.close(1002, `${'x'.repeat(122)}é and more`);
    await until(() => received.length > 0);
    expect(received[1]).toBe(2 + 122);
  });

  it('a write after the end fails by its callback', async () => {
    socket.listen(events);
    socket.terminate();
    const error = await new Promise<Error | undefined>((resolve) => socket.send(Buffer.alloc(3), resolve));
    expect(error).toBeInstanceOf(Error);
  });
});
