import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GridError } from '../../lib/errors/index.js';
import { acceptHandshake, dialHandshake, type Admission, type Connection } from '../../lib/connection/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import {
  decodeConnectRequest,
  decodeConnectResponse,
  encodeConnectRequest,
  encodeConnectResponse,
  EXTENSIONS,
  Flag,
  Op,
  unixMs,
  type ConnectRequest,
  type ConnectResponse,
} from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { mergedOf } from '../wire/build.js';
import { A, B, connect, errorOf, LIMITS, ports, request, type PortsInit } from './grid-end.js';
import { frameOf, message, RawPeer } from './raw-peer.js';
import { WIRES, type Link } from './wires.js';

const ID = new Uint8Array(16).fill(7);
const YES: Admission = { accepted: true };

/** What is announced: the largest payload, with metadata of 8,192 bytes and 67 more around it. */
const MAX = LIMITS.messageBytes + 8_192 + 67;

describe.each(WIRES)('the handshake $name', (wire) => {
  let link: Link;
  let clock: ManualClock;
  const made: Connection[] = [];

  const dial = async (init: PortsInit = {}, signal?: AbortSignal): Promise<Connection> => {
    const connection = await dialHandshake(
      link.dialer,
      { local: A, remote: B, token: 'debug', signal },
      ports({ clock, ...init }),
    );
    made.push(connection);
    return connection;
  };
  const accept = async (
    init: PortsInit = {},
    admit: () => Promise<Admission> = async () => YES,
  ): Promise<Connection> => {
    const connection = await acceptHandshake(link.acceptor, { local: B, admit }, ports({ clock, ...init }));
    made.push(connection);
    return connection;
  };
  const connectRequest = (fields: Partial<ConnectRequest> = {}): Uint8Array =>
    encodeConnectRequest({ id: ID, host: A, time: { seconds: 1_700_000_000, nanos: 0 }, token: 'debug', ...fields });
  const connectResponse = (fields: Partial<ConnectResponse> = {}): Uint8Array =>
    encodeConnectResponse({ id: ID, accepted: true, rejectedReason: '', ...fields });

  beforeEach(async () => {
    clock = new ManualClock();
    link = await wire.open();
  });
  afterEach(async () => {
    for (const connection of made.splice(0)) connection.close(1000, '');
    await until(() => link.closed);
    await turn();
    expect(clock.timers).toBe(0);
    await link.dispose();
  });

  it('makes a connection at both ends', async () => {
    const idA = new Uint8Array(16).fill(1);
    const idB = new Uint8Array(16).fill(2);
    const [dialer, acceptor] = await Promise.all([dial({ localId: idA }), accept({ localId: idB })]);
    expect([[...dialer.remoteId], [...acceptor.remoteId]]).toEqual([[...idB], [...idA]]);
    // what is kept of the handshake is no more than that
    expect([dialer, acceptor].map(({ remoteId }) => remoteId.buffer.byteLength)).toEqual([16, 16]);
    for (const { dialect } of [dialer, acceptor]) {
      expect(dialect).toEqual({
        baseFlags: Flag.Crc,
        extensions: new Set(EXTENSIONS),
        peerMaxBytes: MAX,
      });
    }
  });

  it('sends host, time and token, and what both ends can do', async () => {
    const peer = new RawPeer(link.acceptor);
    const dialing = dial();
    await until(() => peer.frames.length === 1);
    const [connect] = peer.messages;
    expect(connect).toMatchObject({ op: Op.Connect, muxId: 0, seq: 0, deadlineMs: 0, handler: 0, flags: 0 });
    const body = decodeConnectRequest(connect!.payload);
    expect(body).toMatchObject({
      host: A,
      token: 'debug',
      ext: [...EXTENSIONS],
      max: MAX,
    });
    expect(unixMs(body.time)).toBe(clock.date());
    peer.send(Op.ConnectResponse, {
      payload: connectResponse({ ext: ['cancel', 'capacity', 'not ours'], max: 70_000 }),
    });
    const { dialect } = await dialing;
    expect(dialect).toEqual({ baseFlags: Flag.Crc, extensions: new Set(['capacity', 'cancel']), peerMaxBytes: 70_000 });
  });

  it.each([
    ['a payload and all that stands around it', { messageBytes: 100_000 }, 108_259],
    ['no frame that would be refused', { messageBytes: 100_000, frameBytes: 100_100 }, 100_100],
    ['what the protocol knows as the least', { messageBytes: 1_000 }, 65_536],
  ])('asks for %s', async (_name, limits, max) => {
    const peer = new RawPeer(link.acceptor);
    const failed = errorOf(dial({ limits }));
    await until(() => peer.frames.length === 1);
    expect(decodeConnectRequest(peer.messages[0]!.payload).max).toBe(max);
    peer.send(Op.ConnectResponse, { payload: connectResponse({ accepted: false }) });
    await failed;
  });

  it('towards a v1 acceptor nothing is active', async () => {
    const peer = new RawPeer(link.acceptor);
    const dialing = dial();
    await until(() => peer.frames.length === 1);
    peer.send(Op.ConnectResponse, { payload: connectResponse() });
    const { dialect } = await dialing;
    expect([...dialect.extensions]).toEqual([]);
    expect(dialect.peerMaxBytes).toBe(Infinity);
  });

  it('answers a v1 dialer with exactly the v1 keys, and says what it can of an extended one', async () => {
    const peer = new RawPeer(link.dialer);
    const accepting = accept({ localId: ID });
    peer.send(Op.Connect, { payload: connectRequest() });
    const connection = await accepting;
    await until(() => peer.frames.length === 1);
    expect(Buffer.from(peer.messages[0]!.payload!)).toEqual(Buffer.from(connectResponse()));
    expect(connection.dialect.extensions.size).toBe(0);
  });

  it('answers only the names that were asked for', async () => {
    const peer = new RawPeer(link.dialer);
    const accepting = accept();
    peer.send(Op.Connect, { payload: connectRequest({ ext: ['upgrade', 'cancel', 'x'], max: 65_536 }) });
    const { dialect } = await accepting;
    await until(() => peer.frames.length === 1);
    expect(decodeConnectResponse(peer.messages[0]!.payload)).toMatchObject({
      accepted: true,
      // active is what both ends listed with all that it needs; the answer names what was asked for
      ext: ['cancel', 'upgrade'],
      max: MAX,
    });
    expect(dialect).toMatchObject({ extensions: new Set(['cancel']), peerMaxBytes: 65_536 });
  });

  it.each([
    ['auto', 'http://a', 'https://b', Flag.Crc],
    ['auto', 'wss://a', 'https://b', 0],
    [true, 'https://a', 'https://b', Flag.Crc],
    [false, 'http://a', 'http://b', 0],
  ] as const)('crc %s between %s and %s', async (crc, local, remote, baseFlags) => {
    const [dialer, acceptor] = await Promise.all([
      dialHandshake(link.dialer, { local, remote, token: '' }, ports({ clock, crc })),
      acceptHandshake(link.acceptor, { local: remote, admit: async () => YES }, ports({ clock, crc })),
    ]);
    made.push(dialer, acceptor);
    expect([dialer.dialect.baseFlags, acceptor.dialect.baseFlags]).toEqual([baseFlags, baseFlags]);
    expect(String(await request(dialer, 60, Buffer.from('0')))).toBe('0');
  });

  it.each([
    ['unknown incoming host: http://a:9000', 'FAILED_PRECONDITION'],
    ['host "http://auth-1:9000" is not in the list of http://token.example:9000', 'FAILED_PRECONDITION'],
    ['the token is not valid: "exp" claim timestamp check failed', 'UNAUTHENTICATED'],
  ])('B40 a refusal reaches the dialer with its reason: %s', async (reason, code) => {
    const accepting = errorOf(accept({}, async () => ({ accepted: false, reason })));
    expect(await errorOf(dial())).toMatchObject({ code, message: reason, remote: true, peer: B });
    expect(await accepting).toMatchObject({ code, message: reason, remote: false });
  });

  it('an admission that fails is an INTERNAL error and refuses', async () => {
    const accepting = errorOf(accept({}, () => Promise.reject(new Error('the key store is away'))));
    expect(await errorOf(dial())).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('1011') });
    expect(await accepting).toMatchObject({ code: 'INTERNAL', message: 'the key store is away' });
  });

  const badFirstFrames: [string, (peer: RawPeer) => void, Partial<GridError>][] = [
    ['random bytes', (peer) => peer.sendBytes(Buffer.from('deadbeefdeadbeef', 'hex')), { code: 'INVALID_ARGUMENT' }],
    ['an empty frame', (peer) => peer.sendBytes(new Uint8Array(0)), { code: 'INVALID_ARGUMENT' }],
    ['a text frame', () => link.sendTextToAcceptor(), { message: 'a text frame' }],
    [
      'a Request',
      (peer) => peer.send(Op.Request, { muxId: 1, handler: 60, flags: Flag.Eof }),
      { message: 'op 14 in place of Connect' },
    ],
    ['a Ping', (peer) => peer.send(Op.Ping), { message: 'op 3 in place of Connect' }],
    ['a ConnectResponse', (peer) => peer.send(Op.ConnectResponse), { message: 'op 2 in place of Connect' }],
    ['a Connect without body', (peer) => peer.send(Op.Connect), { code: 'INVALID_ARGUMENT' }],
    [
      'a Connect without host',
      (peer) => peer.send(Op.Connect, { payload: Buffer.from('80', 'hex') }),
      { code: 'INVALID_ARGUMENT' },
    ],
    ['a Merged', (peer) => peer.send(Op.Merged, { seq: 2 }), { message: 'op 17 in place of Connect' }],
    [
      'a Merged of one Connect',
      (peer) => peer.sendBytes(mergedOf([frameOf(message(Op.Connect, { payload: connectRequest() }))])),
      { message: 'op 17 in place of Connect' },
    ],
  ];
  it.each(badFirstFrames)('B39 a first frame that is %s is closed with 1002', async (_, send, expected) => {
    const peer = new RawPeer(link.dialer);
    const accepting = errorOf(accept());
    send(peer);
    expect(await accepting).toMatchObject({ reason: 'protocol', ...expected });
    await until(() => peer.closed !== undefined);
    expect(peer.closed![0]).toBe(1002);
    expect(peer.frames).toEqual([]);
  });

  it('what a dialer sends before the answer waits for it, up to 64 KiB', async () => {
    const peer = new RawPeer(link.dialer);
    let decide!: (admission: Admission) => void;
    const accepting = accept({}, () => new Promise((resolve) => (decide = resolve)));
    peer.send(Op.Connect, { payload: connectRequest() });
    await until(() => decide !== undefined);
    peer.send(Op.Request, { muxId: 1n, handler: 60, flags: Flag.Crc | Flag.Eof, payload: Buffer.from('early') });
    await turn();
    expect(peer.frames).toEqual([]);
    decide(YES);
    await accepting;
    await until(() => peer.frames.length === 2);
    expect(peer.messages.map(({ op }) => op)).toEqual([Op.ConnectResponse, Op.Response]);
  });

  it.each([
    ['more than 64 KiB', 1, 64 * 1024],
    ['a thousand of the smallest messages', 1_000, 0],
  ])('a dialer that sends %s before the answer is closed with 1002', async (_, count, size) => {
    const peer = new RawPeer(link.dialer);
    const accepting = errorOf(accept({}, () => new Promise(() => undefined)));
    peer.send(Op.Connect, { payload: connectRequest() });
    for (let i = 0; i < count; i++) peer.send(Op.Pong, { payload: new Uint8Array(size) });
    expect(await accepting).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'too much before the answer to Connect',
    });
    await until(() => peer.closed !== undefined);
    expect(peer.closed![0]).toBe(1002);
  });

  it('H3 a silent dialer is closed at handshakeMs', async () => {
    const accepting = errorOf(accept());
    const peer = new RawPeer(link.dialer);
    clock.advance(4_999);
    await turn();
    expect(peer.closed).toBeUndefined();
    clock.advance(1);
    expect(await accepting).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'no handshake within 5000 ms (limits.handshakeMs)',
    });
    await until(() => peer.closed !== undefined);
    expect(peer.closed![0]).toBe(1008);
  });

  it('H3 a silent acceptor: the dial fails at handshakeMs, even if it does not answer the goodbye either', async () => {
    const dialing = errorOf(dial());
    link.stallAcceptor();
    clock.advance(5_000);
    expect(await dialing).toMatchObject({ code: 'UNAVAILABLE', reason: 'not-connected', peer: B });
    expect(clock.timers).toBe(1);
    clock.advance(1_000);
    link.cut();
  });

  it('an acceptor that closes in the middle does not leave the dialer hanging', async () => {
    const peer = new RawPeer(link.acceptor);
    const dialing = errorOf(dial());
    await until(() => peer.frames.length === 1);
    link.acceptor.close(1011, 'busy');
    expect(await dialing).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the socket was closed during the handshake: 1011 busy',
    });
  });

  it('a dialer that goes while it is being checked leaves nothing', async () => {
    let decide!: (admission: Admission) => void;
    const peer = new RawPeer(link.dialer);
    const accepting = errorOf(accept({}, () => new Promise((resolve) => (decide = resolve))));
    peer.send(Op.Connect, { payload: connectRequest() });
    await until(() => decide !== undefined);
    link.cut();
    expect(await accepting).toMatchObject({ code: 'UNAVAILABLE' });
    decide(YES);
    await turn();
  });

  it('the signal ends a dial, also one that was aborted before', async () => {
    const peer = new RawPeer(link.acceptor);
    const control = new AbortController();
    const dialing = errorOf(dial({}, control.signal));
    await until(() => peer.frames.length === 1);
    control.abort();
    expect(await dialing).toMatchObject({ code: 'CANCELLED' });
    await until(() => peer.closed !== undefined);
    expect(peer.closed).toEqual([1001, 'dial cancelled']);
  });

  it('an aborted signal sends nothing', async () => {
    const peer = new RawPeer(link.acceptor);
    expect(await errorOf(dial({}, AbortSignal.abort()))).toMatchObject({ code: 'CANCELLED' });
    await until(() => peer.closed !== undefined);
    expect(peer.frames).toEqual([]);
  });

  const badAnswers: [string, (peer: RawPeer) => void, number][] = [
    ['a Pong', (peer) => peer.send(Op.Pong), Op.Pong],
    [
      'a Merged of one ConnectResponse',
      (peer) => peer.sendBytes(mergedOf([frameOf(message(Op.ConnectResponse, { payload: connectResponse() }))])),
      Op.Merged,
    ],
  ];
  it.each(badAnswers)('an answer that is %s is closed with 1002', async (_, send, op) => {
    const peer = new RawPeer(link.acceptor);
    const dialing = errorOf(dial());
    send(peer);
    expect(await dialing).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `op ${op} in place of ConnectResponse`,
      peer: B,
    });
    await until(() => peer.closed !== undefined);
    expect(peer.closed![0]).toBe(1002);
  });

  it('what follows the answer in the same turn is not lost', async () => {
    const peer = new RawPeer(link.acceptor);
    const dialing = dial();
    await until(() => peer.frames.length === 1);
    peer.send(Op.ConnectResponse, { payload: connectResponse() });
    for (let muxId = 1; muxId <= 3; muxId++) {
      peer.send(Op.Request, { muxId, handler: 60, flags: Flag.Eof, payload: Buffer.from([muxId]) });
    }
    await dialing;
    await until(() => peer.messages.length === 4);
    expect(peer.messages.slice(1).map(({ op, muxId, payload }) => [op, muxId, [...payload!]])).toEqual([
      [Op.Response, 1, [1]],
      [Op.Response, 2, [2]],
      [Op.Response, 3, [3]],
    ]);
  });

  it('a second Connect on an open connection ends it with 1002', async () => {
    const peer = new RawPeer(link.dialer);
    const accepting = accept();
    peer.send(Op.Connect, { payload: connectRequest() });
    const connection = await accepting;
    peer.send(Op.Connect, { payload: connectRequest() });
    await until(() => peer.closed !== undefined);
    expect(peer.closed).toEqual([1002, 'op 1 on an open connection']);
    expect(connection.closed).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'protocol' });
  });

  it('a frame over the cap is refused before the handshake too', async () => {
    const accepting = errorOf(accept({ limits: { messageBytes: 1_000 } }));
    const peer = new RawPeer(link.dialer);
    peer.send(Op.Connect, { payload: connectRequest({ token: 'x'.repeat(2_000) }) });
    expect(await accepting).toMatchObject({ reason: 'limit' });
    await until(() => peer.closed !== undefined);
    expect(peer.closed![0]).toBe(1009);
  });

  it('two ends without extensions speak v1', async () => {
    const [dialer, acceptor] = await connect(
      [link.dialer, link.acceptor],
      ports({ clock, extensions: [] }),
      ports({ clock, extensions: [] }),
    );
    made.push(dialer, acceptor);
    expect([dialer.dialect, acceptor.dialect]).toEqual(
      Array(2).fill({ baseFlags: Flag.Crc, extensions: new Set(), peerMaxBytes: Infinity }),
    );
  });
});
