import { afterEach, describe, expect, it } from '@jest/globals';
import { isDisconnected } from '../../lib/errors/index.js';
import { acceptHandshake, type Connection } from '../../lib/connection/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { encodeConnectRequest, Flag, Op } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { A, B, errorOf, ports, request, type PortsInit } from './grid-end.js';
import { frameOf, message, RawPeer } from './raw-peer.js';
import { WIRES, type Link } from './wires.js';

describe.each(WIRES)('a connection with a hostile peer $name', (wire) => {
  let link: Link;
  let clock: ManualClock;
  let peer: RawPeer;
  let connection: Connection;
  let ends: number[];

  const open = async (init: PortsInit = {}): Promise<void> => {
    clock = new ManualClock();
    link = await wire.open();
    const admit = async (): Promise<{ accepted: true }> => ({ accepted: true });
    const accepting = acceptHandshake(link.acceptor, { local: B, admit }, ports({ clock, ...init }));
    peer = new RawPeer(link.dialer);
    const time = { seconds: 0, nanos: 0 };
    const ext = ['capacity', 'cancel', 'upgrade'];
    peer.send(Op.Connect, {
      payload: encodeConnectRequest({ id: new Uint8Array(16), host: A, time, token: '', ext, max: 65_536 }),
    });
    connection = await accepting;
    ends = [];
    connection.onClosed = (_, code) => ends.push(code);
    await until(() => peer.frames.length === 1);
    peer.frames.length = 0;
  };
  const echo = (muxId: number, payload: Uint8Array): Uint8Array =>
    frameOf(message(Op.Request, { muxId, handler: 60, flags: Flag.Crc | Flag.Eof, payload }));

  afterEach(async () => {
    connection.close(1000, '');
    await until(() => link.closed);
    expect([connection.mux.incoming, connection.mux.outgoing, connection.mux.running]).toEqual([0, 0, 0]);
    expect(ends.length).toBe(1);
    expect(clock.timers).toBe(0);
    await link.dispose();
  });

  it.each([
    ['nothing', Buffer.alloc(0), 1002, 'INVALID_ARGUMENT'],
    ['random bytes', Buffer.from('00112233445566778899', 'hex'), 1002, 'INVALID_ARGUMENT'],
    [
      'a flipped payload bit',
      flip(frameOf(message(Op.Request, { muxId: 1, handler: 60, flags: Flag.Crc, payload: Buffer.alloc(20) })), 12),
      1002,
      'DATA_LOSS',
    ],
    ['an unknown op', Buffer.from('97010000001200c400', 'hex'), 1002, 'INVALID_ARGUMENT'],
    ['METADATA where it is not active', frameFlagged(0x40), 1002, 'INVALID_ARGUMENT'],
    ['a call op with muxId 0', frameOf(message(Op.Response)), 1002, 'INVALID_ARGUMENT'],
    ['Merged inside Merged', Buffer.from('97000100001100c400c40997000000001100c400', 'hex'), 1002, 'INVALID_ARGUMENT'],
    ['a ConnectResponse', frameOf(message(Op.ConnectResponse)), 1002, 'INVALID_ARGUMENT'],
  ])('%s ends it with one close code, and every call of it', async (_, frame, closeCode, code) => {
    await open();
    const call = errorOf(request(connection, 60));
    peer.sendBytes(frame);
    expect(isDisconnected(await call)).toBe(true);
    await until(() => peer.closed !== undefined);
    expect([peer.closed![0], connection.closed?.code]).toEqual([closeCode, code]);
  });

  it('a payload over limits.messageBytes is closed with 1009, one at the cap is served', async () => {
    await open({ limits: { messageBytes: 10_000 } });
    peer.sendBytes(echo(1, Buffer.alloc(10_000)));
    await until(() => peer.messages.length === 1);
    peer.sendBytes(echo(2, Buffer.alloc(10_001)));
    await until(() => peer.closed !== undefined);
    expect(peer.closed![0]).toBe(1009);
  });

  it('a frame over limits.frameBytes is closed with 1009', async () => {
    await open({ limits: { frameBytes: 70_000 } });
    peer.sendBytes(Buffer.alloc(70_001));
    await until(() => peer.closed !== undefined);
    expect(peer.closed).toEqual([1009, 'a frame of 70001 bytes, limits.frameBytes is 70000']);
  });

  it('what follows the fault in the same frame or turn is not served', async () => {
    await open();
    // item 1 is sound, item 2 is not: the frame does not parse, so neither is served
    const sound = echo(1, Buffer.from('x'));
    const broken = flip(echo(2, Buffer.from('y')), 3);
    const head = Buffer.from('97000200001100c400', 'hex');
    peer.sendBytes(Buffer.concat([head, item(sound), item(broken)]));
    peer.sendBytes(echo(3, Buffer.from('z')));
    await until(() => peer.closed !== undefined);
    expect(peer.frames).toEqual([]);
  });

  it('no Merged passes the Max of the peer', async () => {
    await open();
    for (let muxId = 1; muxId <= 400; muxId++) peer.sendBytes(echo(muxId, Buffer.alloc(1_000)));
    await until(() => peer.messages.length === 400);
    expect(Math.max(...peer.frames.map((frame) => frame.length))).toBeLessThanOrEqual(65_536);
    expect(peer.frames.length).toBeLessThan(200);
  });

  it('H17 a peer that asks and does not read costs little more than limits.queuedBytes, then it is cut', async () => {
    await open({ limits: { queuedBytes: 100_000 } });
    // asked to write, the socket never tells that it did
    link.acceptor.send = () => undefined;
    for (let muxId = 1; muxId <= 200; muxId++) peer.sendBytes(echo(muxId, Buffer.alloc(1_000)));
    await until(() => connection.queuedMessages === 200);
    // those past the cap were refused, which takes some 60 bytes each
    expect(connection.queuedBytes).toBeLessThan(120_000);
    clock.advance(4_000);
    await turn();
    expect(connection.closed).toMatchObject({ message: expect.stringContaining('no write finished') });
    link.cut();
  });

  it('H17 one that goes on asking is cut with 1013 when twice limits.queuedBytes wait for it', async () => {
    await open({ limits: { queuedBytes: 10_000 } });
    const write = link.acceptor.send.bind(link.acceptor);
    link.acceptor.send = () => undefined;
    for (let muxId = 1; muxId <= 1_000; muxId++) peer.sendBytes(echo(muxId, Buffer.alloc(10)));
    await until(() => peer.closed !== undefined);
    link.acceptor.send = write;
    expect(peer.closed![0]).toBe(1013);
    expect(connection.closed).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'limit' });
  });

  it('H16 no single-bit flip of a request with CRC is ever served', async () => {
    const original = echo(5, Buffer.from('payload'));
    for (let bit = 0; bit < original.length * 8; bit++) {
      await open();
      const altered = flip(original, bit >> 3, bit & 7);
      peer.sendBytes(altered);
      await until(() => peer.closed !== undefined || peer.messages.length > 0);
      // the CRC covers all bytes before it, and its own flag cannot vanish without leaving 4 bytes over
      expect([bit, peer.messages.length]).toEqual([bit, 0]);
      if (bit + 1 < original.length * 8) {
        await until(() => link.closed);
        await link.dispose();
      }
    }
  });
});

function flip(frame: Uint8Array, byte: number, bit = 0): Buffer {
  const altered = Buffer.from(frame);
  altered[byte]! ^= 1 << bit;
  return altered;
}

function frameFlagged(flags: number): Uint8Array {
  const frame = Buffer.from(frameOf(message(Op.Request, { muxId: 1, handler: 60 })));
  frame[6] = flags;
  return frame;
}

function item(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0xc4, bytes.length]), bytes]);
}
