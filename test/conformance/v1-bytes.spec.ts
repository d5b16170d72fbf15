// Wire spec §11: towards a peer without extensions the bytes are those of v1, apart from Ext and Max in the node's own
// Connect. Everything the node sends is written down here a second time, byte by byte, from §2 to §8.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  connectRequest,
  connectResponse,
  CRC,
  decode,
  encode,
  EOF,
  ERR,
  METADATA,
  muxConnectError,
  op,
  pongBody,
  type MessageParts,
  ZERO,
} from './raw-codec.js';
import { array, body, map, str, time, uint } from './raw-msgpack.js';
import { RawHandler } from './raw-handler.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { Stage } from './stage.js';

let stage: Stage;
let host: string;

beforeAll(async () => {
  stage = await Stage.set({ dialers: 2, listeners: 2 });
  host = stage.dialers[0]!;
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

/** All that the node has sent since `from`, one message each, as it would stand alone in a frame. */
function sentBy(peer: RawPeer, from: number): string[] {
  const messages = peer.frames.slice(from).flatMap((frame) => decode(frame));
  // connection pings come by the clock
  const ofCalls = messages.filter(({ op: code, muxId }) => code !== op.Ping || muxId !== 0n);
  return ofCalls.map((message) => encode(message).toString('hex'));
}

const hex = (parts: MessageParts[]): string[] => parts.map((one) => encode(one).toString('hex'));

describe('the handshake', () => {
  test('Connect has Ext and Max behind what v1 has; without them it is a Connect of v1', async () => {
    const peer = await stage.listeners[0]!.peer();
    const { ID, Host, Token } = peer.hello as { ID: Buffer; Host: string; Token: string };
    const { Ext, Max } = peer.hello as { Ext: string[]; Max: bigint };
    const raw = peer.frames[0]!;
    // nanoseconds of the time are the node's own business: taken from its bytes
    const at = raw.indexOf(str('Time')) + 5;
    const v1 = (more: [string, Buffer][]): Buffer => {
      const payload = connectRequest({ id: ID, host: Host, time: 0, token: Token, more });
      raw.copy(payload, payload.indexOf(str('Time')) + 5, at, at + time(0).length);
      return encode({ op: op.Connect, flags: 0, payload });
    };
    expect(Ext).toEqual(['meta', 'error', 'cancel', 'capacity', 'upgrade', 'drain']);
    expect(Object.keys(peer.hello)).toEqual(['ID', 'Host', 'Time', 'Token', 'Ext', 'Max']);
    expect(raw).toEqual(
      v1([
        ['Ext', array(Ext.map(str))],
        ['Max', uint(Max)],
      ]),
    );
    expect(Object.keys(body(decode(v1([]))[0]!.payload))).toEqual(['ID', 'Host', 'Time', 'Token']);
  });

  test('ConnectResponse to a Connect without Ext is one of v1', async () => {
    const peer = await stage.peer();
    const id = peer.hello['ID'] as Buffer;
    expect(peer.frames[0]).toEqual(
      encode({ op: op.ConnectResponse, flags: 0, payload: connectResponse({ id, accepted: true }) }),
    );
  });

  test('an answer without Ext makes the rest of a dialed connection v1', async () => {
    const peer = await stage.listeners[1]!.peer();
    await stage.node.reaches(stage.listeners[1]!.origin, 'connected');
    const from = peer.frames.length;
    const failed = stage.node.call(stage.listeners[1]!.origin, 80, { payload: 'x', cancelAfterMs: 50 });
    const { muxId } = await peer.next({ op: op.Request });
    await failed;
    expect(await peer.call(61, 'no')).toMatchObject({ flags: CRC | EOF | ERR, payload: Buffer.from('no') });
    expect(sentBy(peer, from)).toEqual(
      hex([
        { op: op.Request, muxId, deadlineMs: 60_000, handler: 80, flags: CRC | EOF, payload: 'x' },
        { op: op.Response, muxId: 1, flags: CRC | EOF | ERR, payload: 'no' },
      ]),
    );
  });
});

describe('the node as the handler side', () => {
  test('every kind of answer', async () => {
    const peer = await stage.peer();
    const from = peer.frames.length;
    const expected: MessageParts[] = [];
    const ask = async (handler: number, payload: string, answer: Partial<MessageParts>): Promise<void> => {
      const { muxId } = await peer.call(handler, payload);
      expected.push({ op: op.Response, muxId, flags: CRC | EOF, ...answer });
    };
    await ask(60, 'echo', { payload: 'echo' });
    await ask(60, '', {});
    await ask(61, 'text of the error', { flags: CRC | EOF | ERR, payload: 'text of the error' });
    await ask(70, '', { flags: CRC | EOF | ZERO });
    const refused = { op: op.MuxConnectError, deadlineMs: 60_000 };
    await ask(99, '', { ...refused, handler: 99, payload: muxConnectError('Invalid Handler for type: 99') });
    await ask(0, '', { ...refused, handler: 0, payload: muxConnectError('Invalid Handler') });
    await ask(63, '1,1', { ...refused, handler: 63, payload: muxConnectError('streams: call stream()') });

    const echo = await RawStream.opened(peer, 65, '', { input: true });
    const { muxId } = echo;
    expected.push({ op: op.AckMux, muxId });
    echo.write('in');
    await echo.next({ op: op.UnblockClMux });
    await echo.next({ op: op.MuxServerMsg });
    expected.push({ op: op.UnblockClMux, muxId, seq: 1 }, { op: op.MuxServerMsg, muxId, seq: 2, payload: 'in' });
    echo.credit();
    const at = 1_700_000_000_000;
    echo.post({ op: op.Ping, payload: map([['t', time(at)]]) });
    await echo.next({ op: op.Pong });
    expected.push({ op: op.Pong, muxId, seq: echo.seq - 1, payload: pongBody({ time: at }) });
    echo.end();
    await echo.next({ op: op.DisconnectClientMux });
    expected.push({ op: op.MuxServerMsg, muxId, seq: 3, flags: CRC | EOF }, { op: op.DisconnectClientMux, muxId });

    const failing = RawStream.open(peer, 66, 'broken');
    await failing.next({ op: op.DisconnectClientMux });
    expected.push(
      { op: op.AckMux, muxId: failing.muxId },
      { op: op.MuxServerMsg, muxId: failing.muxId, seq: 1, payload: 'a' },
      { op: op.MuxServerMsg, muxId: failing.muxId, seq: 2, payload: 'b' },
      { op: op.MuxServerMsg, muxId: failing.muxId, seq: 3, flags: CRC | EOF | ERR, payload: 'broken' },
      { op: op.DisconnectClientMux, muxId: failing.muxId },
    );
    const blocked = await RawStream.opened(peer, 69, '', { input: true });
    blocked.write('1');
    blocked.write('2');
    await blocked.next({ op: op.DisconnectClientMux });
    expected.push(
      { op: op.AckMux, muxId: blocked.muxId },
      { op: op.MuxServerMsg, muxId: blocked.muxId, seq: 1, flags: CRC | EOF | ERR, payload: 'handler blocked' },
      { op: op.DisconnectClientMux, muxId: blocked.muxId },
    );
    expect(sentBy(peer, from)).toEqual(hex(expected));
  });
});

describe('the node as the caller', () => {
  test('a request that is answered, one that is cancelled, one that runs out of time', async () => {
    const peer = await stage.linked();
    const from = peer.frames.length;
    const expected: MessageParts[] = [];
    for (const [options, deadlineMs] of [
      [{ payload: 'p' }, 60_000],
      [{ payload: 'p', cancelAfterMs: 30 }, 60_000],
      [{ payload: 'p', deadlineMs: 30 }, 30],
    ] as const) {
      const called = stage.node.call(host, 80, options);
      const call = await RawHandler.called(peer, { op: op.Request });
      if (Object.keys(options).length === 1) call.respond('a');
      await called;
      // deadlines are what is left when the message is made
      expect(call.opening.deadlineMs).toBeLessThanOrEqual(deadlineMs);
      const { muxId, deadlineMs: left } = call.opening;
      expected.push({ op: op.Request, muxId, handler: 80, deadlineMs: left, flags: CRC | EOF, payload: 'p' });
    }
    expect(sentBy(peer, from)).toEqual(hex(expected));
  });

  test('send() is a plain Request', async () => {
    const peer = await stage.linked();
    const from = peer.frames.length;
    const done = stage.node.stream(host, 80, { payload: 'p', many: true });
    const call = await RawHandler.called(peer, { op: op.Request });
    call.respond('one');
    expect(await done).toEqual({ outputs: ['one'], error: null });
    expect(sentBy(peer, from)).toEqual(
      hex([{ op: op.Request, muxId: call.muxId, handler: 80, deadlineMs: 60_000, flags: CRC | EOF, payload: 'p' }]),
    );
  });

  test('a stream of both directions, and one that is left', async () => {
    const peer = await stage.linked();
    const from = peer.frames.length;
    const done = stage.node.stream(host, 65, { inputs: ['a'] });
    const both = await RawHandler.called(peer, { op: op.ConnectMux });
    both.ack();
    await both.next({ op: op.MuxClientMsg, payload: Buffer.from('a') });
    both.credit();
    await both.next({ op: op.MuxClientMsg, flags: CRC | EOF });
    both.item('A');
    await both.next({ op: op.UnblockSrvMux });
    both.end();
    await done;
    const leaving = stage.node.stream(host, 63, { payload: '9,1', cancelAfter: 1 });
    const left = await RawHandler.called(peer, { op: op.ConnectMux });
    left.ack();
    left.item('x');
    await left.next({ op: op.DisconnectServerMux });
    await leaving;
    const { muxId } = both;
    expect(sentBy(peer, from)).toEqual(
      hex([
        { op: op.ConnectMux, muxId, handler: 65 },
        { op: op.MuxClientMsg, muxId, seq: 1, payload: 'a' },
        { op: op.MuxClientMsg, muxId, seq: 2, flags: CRC | EOF },
        { op: op.UnblockSrvMux, muxId, seq: 3 },
        { op: op.ConnectMux, muxId: left.muxId, handler: 63, flags: CRC | EOF, payload: '9,1' },
        { op: op.UnblockSrvMux, muxId: left.muxId, seq: 1 },
        { op: op.DisconnectServerMux, muxId: left.muxId },
      ]),
    );
  });
});

test('what v1 does not know ends the connection: the flags of the extensions are unknown flags', async () => {
  for (const ext of [undefined, [], ['error'], ['later']]) {
    const peer = await stage.peer({ ext });
    peer.ask(60, 'x', { flags: CRC | EOF | METADATA });
    expect((await peer.closed).code).toBe(1002);
  }
});

test('op 16 is nothing to a node without drain: it goes on calling', async () => {
  const peer = await stage.linked({ ext: ['cancel'] });
  peer.send({ op: op.Disconnect, payload: 'going' });
  await peer.settle();
  const called = stage.node.call(host, 80);
  (await RawHandler.called(peer, { op: op.Request })).respond('still here');
  expect(await called).toMatchObject({ payload: Buffer.from('still here') });
});
