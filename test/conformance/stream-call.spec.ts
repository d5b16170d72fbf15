// POST /stream: the node as the caller of streams, a raw peer as the handler side (wire spec §6, §12).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { endings, refusals } from './code-texts.js';
import { CRC, encode, EOF, ERR, merged, muxConnectError, op, ZERO } from './raw-codec.js';
import { RawHandler } from './raw-handler.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { runs, Stage } from './stage.js';

let stage: Stage;
let peer: RawPeer;
let host: string;

beforeAll(async () => {
  stage = await Stage.set({ dialers: 2 });
  host = stage.dialers[0]!;
}, 70_000);
beforeEach(async () => {
  peer = await stage.linked();
});
afterEach(() => stage.clear());
afterAll(() => stage.strike());

const requested = (): Promise<RawHandler> => RawHandler.called(peer, { op: op.Request });
const opened = (): Promise<RawHandler> => RawHandler.called(peer, { op: op.ConnectMux });

describe('POST /stream', () => {
  test('opens with ConnectMux, gives a credit per message, ends', async () => {
    const done = stage.node.stream(host, 81, { payload: 'p' });
    const call = await opened();
    expect(call.opening).toMatchObject({
      seq: 0,
      handler: 81,
      deadlineMs: 0,
      flags: CRC | EOF,
      payload: Buffer.from('p'),
    });
    call.ack();
    for (let i = 0; i < 20; i++) {
      call.item(`item ${i}`);
      expect(await call.next()).toMatchObject({ op: op.UnblockSrvMux, seq: i + 1, flags: CRC });
    }
    call.end();
    expect(await done).toEqual({ outputs: Array.from({ length: 20 }, (_, i) => `item ${i}`), error: null });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test('empty payloads: one that was given is not nothing', async () => {
    const given = stage.node.stream(host, 81, { payload: '' });
    const first = await opened();
    expect(first.opening.flags).toBe(CRC | EOF | ZERO);
    first.ack();
    first.post({ op: op.MuxServerMsg, flags: CRC | ZERO });
    first.end();
    expect(await given).toEqual({ outputs: [''], error: null });
    const none = stage.node.stream(host, 81);
    const second = await opened();
    expect(second.opening.flags).toBe(CRC | EOF);
    second.ack();
    second.end();
    expect(await none).toEqual({ outputs: [], error: null });
  });

  test('a payload in the last message is its last item', async () => {
    const done = stage.node.stream(host, 81);
    const call = await opened();
    call.ack();
    call.post({ op: op.MuxServerMsg, flags: CRC | EOF, payload: 'last' });
    expect(await done).toEqual({ outputs: ['last'], error: null });
  });

  test.each(endings)('an error end "%s" is %s, after what came before', async (text, code) => {
    const done = stage.node.stream(host, 81);
    const call = await opened();
    call.ack();
    call.item('before');
    call.end(text);
    expect(await done).toEqual({ outputs: ['before'], error: { code, message: text, remote: true } });
  });

  test.each(refusals)('a refusal "%s" is %s', async (text, code) => {
    const done = stage.node.stream(host, 81);
    const { muxId } = await opened();
    peer.send({ op: op.MuxConnectError, muxId, handler: 81, flags: CRC | EOF, payload: muxConnectError(text) });
    expect((await done).error).toMatchObject({ code, remote: true });
  });

  test('H12 items that came with an error end are delivered first, always', async () => {
    for (let round = 0; round < 50; round++) {
      const done = stage.node.stream(host, 81);
      const { muxId } = await opened();
      const items = [1, 2, 3, 4].map((seq) => ({ op: op.MuxServerMsg, muxId, seq, payload: `${seq}` }));
      const end = { op: op.MuxServerMsg, muxId, seq: 5, flags: CRC | EOF | ERR, payload: 'over' };
      peer.sendFrame(merged([{ op: op.AckMux, muxId }, ...items, end].map((parts) => encode(parts))));
      expect(await done).toEqual({
        outputs: ['1', '2', '3', '4'],
        error: { code: 'UNKNOWN', message: 'over', remote: true },
      });
    }
  });

  test.each([
    ['its text', 'disk gone', { code: 'UNKNOWN', message: 'disk gone', remote: true }],
    ['"remote terminated call"', '', { code: 'UNAVAILABLE', message: 'remote terminated call' }],
  ])('DisconnectClientMux before the end is an error: %s', async (_, text, expected) => {
    const done = stage.node.stream(host, 81);
    const call = await opened();
    call.ack();
    call.item('before');
    peer.send({ op: op.DisconnectClientMux, muxId: call.muxId, flags: CRC | (text === '' ? 0 : ERR), payload: text });
    const { outputs, error } = await done;
    expect(outputs).toEqual(['before']);
    expect(error).toMatchObject(expected);
  });

  test('DisconnectClientMux after the end, or for a request, is ignored', async () => {
    const done = stage.node.stream(host, 81);
    const stream = await opened();
    stream.ack();
    stream.end();
    peer.send({ op: op.DisconnectClientMux, muxId: stream.muxId });
    expect((await done).error).toBeNull();
    const answered = stage.node.call(host, 80);
    const call = await requested();
    peer.send({ op: op.DisconnectClientMux, muxId: call.muxId });
    call.respond('still');
    expect(await answered).toEqual({ payload: Buffer.from('still') });
  });

  test('a gap in the sequence ends it, and the handler is told', async () => {
    const done = stage.node.stream(host, 81);
    const call = await opened();
    call.ack();
    call.item('one');
    call.seq++;
    call.item('three');
    await call.next({ op: op.DisconnectServerMux });
    const { outputs, error } = await done;
    expect(outputs).toEqual(['one']);
    expect(error).toEqual({ code: 'DATA_LOSS', message: 'out-of-sequence item received', remote: false });
  });

  test('its deadline ends it by its own clock, and the handler is told', async () => {
    const done = stage.node.stream(host, 81, { deadlineMs: 120 });
    const call = await opened();
    expect(call.opening.deadlineMs).toBeGreaterThan(60);
    expect(call.opening.deadlineMs).toBeLessThanOrEqual(120);
    call.ack();
    call.item('before');
    await call.next({ op: op.DisconnectServerMux });
    expect(await done).toEqual({
      outputs: ['before'],
      error: { code: 'DEADLINE_EXCEEDED', message: 'context deadline exceeded', remote: false },
    });
  });

  test('cancelAfter cancels the handler', async () => {
    const done = stage.node.stream(host, 81, { cancelAfter: 2 });
    const call = await opened();
    call.ack();
    call.item('0');
    call.item('1');
    await call.next({ op: op.DisconnectServerMux });
    expect((await done).outputs).toEqual(['0', '1']);
    call.item('2');
    expect((await call.next({ op: op.DisconnectServerMux })).flags).toBe(CRC);
  });

  test('B17 a lost connection never looks like an end', async () => {
    const done = stage.node.stream(host, 81);
    const call = await opened();
    call.ack();
    for (let i = 0; i < 3; i++) call.item(String(i));
    await call.next({ op: op.UnblockSrvMux, seq: 3 });
    peer.socket.terminate();
    expect(await done).toEqual({
      outputs: ['0', '1', '2'],
      error: { code: 'UNAVAILABLE', message: 'remote disconnected', remote: false },
    });
  });

  test('H1 calls of both directions with the same muxId are strangers', async () => {
    const done = stage.node.stream(host, 81);
    const theirs = await opened();
    theirs.ack();
    const ours = await RawStream.opened(peer, 67, '', { muxId: theirs.muxId });
    await runs(peer, 1);
    theirs.item('x');
    await theirs.next({ op: op.UnblockSrvMux });
    ours.cancel();
    await runs(peer, 0);
    theirs.item('y');
    await theirs.next({ op: op.UnblockSrvMux });
    theirs.end();
    expect(await done).toEqual({ outputs: ['x', 'y'], error: null });
  });

  test('send() towards a peer without upgrade is a plain request', async () => {
    const done = stage.node.stream(host, 81, { many: true, payload: 'p' });
    const call = await requested();
    expect([call.opening.flags, call.opening.deadlineMs]).toEqual([CRC | EOF, 60_000]);
    call.respond('only');
    expect(await done).toEqual({ outputs: ['only'], error: null });
  });
});
