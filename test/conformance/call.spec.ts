// POST /call: the node as the caller of requests, a raw peer as the handler side (wire spec §5, §12).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { endings, refusals } from './code-texts.js';
import { CRC, EOF, ERR, muxConnectError, op, SUBROUTE, subrouteId, ZERO } from './raw-codec.js';
import { RawHandler } from './raw-handler.js';
import type { RawPeer } from './raw-peer.js';
import { Stage } from './stage.js';

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

describe('POST /call', () => {
  test('answers with the payload of the Response', async () => {
    const answered = stage.node.call(host, 80, { payload: 'ping' });
    const call = await requested();
    expect(call.opening).toMatchObject({
      seq: 0,
      handler: 80,
      deadlineMs: 60_000,
      flags: CRC | EOF,
      payload: Buffer.from('ping'),
    });
    call.respond('pong');
    expect(await answered).toEqual({ payload: Buffer.from('pong') });
  });

  test('tells nothing from zero bytes', async () => {
    for (const [flags, payload] of [
      [0, null],
      [ZERO, Buffer.alloc(0)],
    ] as const) {
      const answered = stage.node.call(host, 80);
      const call = await requested();
      expect([call.opening.flags, call.opening.payload.length]).toEqual([CRC | EOF, 0]);
      call.respond('', flags);
      expect(await answered).toEqual({ payload });
    }
  });

  test('sends the subroute id', async () => {
    const answered = stage.node.call(host, 60, { payload: 'x', subroute: 'sub/route' });
    const call = await requested();
    expect(call.opening).toMatchObject({
      handler: 60,
      flags: CRC | EOF | SUBROUTE,
      subroute: subrouteId(60, 'sub/route'),
    });
    call.respond('x');
    await answered;
  });

  test.each(endings)('an error Response "%s" is %s', async (text, code) => {
    const failed = stage.node.call(host, 80);
    (await requested()).respond(text, ERR);
    expect(await failed).toEqual({ code, message: text, remote: true });
  });

  test.each(refusals)('a refusal "%s" is %s', async (text, code) => {
    const failed = stage.node.call(host, 80);
    const { muxId } = await requested();
    peer.send({ op: op.MuxConnectError, muxId, handler: 80, flags: CRC | EOF, payload: muxConnectError(text) });
    expect(await failed).toMatchObject({ code, remote: true });
  });

  test('its deadline travels; past it the call ends and a late answer is dropped', async () => {
    const started = Date.now();
    const failed = stage.node.call(host, 80, { deadlineMs: 150 });
    const call = await requested();
    expect(call.opening.deadlineMs).toBeGreaterThan(100);
    expect(call.opening.deadlineMs).toBeLessThanOrEqual(150);
    expect(await failed).toEqual({ code: 'DEADLINE_EXCEEDED', message: 'context deadline exceeded', remote: false });
    expect(Date.now() - started).toBeGreaterThanOrEqual(145);
    call.respond('late');
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test('a deadline of less than 1 ms is over before anything is sent', async () => {
    expect(await stage.node.call(host, 80, { deadlineMs: 0 })).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      remote: false,
    });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test('a cancel is local: nothing is sent', async () => {
    const failed = stage.node.call(host, 80, { cancelAfterMs: 50 });
    const call = await requested();
    expect(await failed).toMatchObject({ code: 'CANCELLED', remote: false });
    call.respond('late');
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test('metadata cannot be given to a peer without the extension', async () => {
    expect(await stage.node.call(host, 80, { metadata: { a: 'b' } })).toMatchObject({
      code: 'FAILED_PRECONDITION',
      remote: false,
    });
    await peer.settle();
    expect(peer.inbox).toEqual([]);
  });

  test('a host that is not connected fails at once', async () => {
    // its deadline is 60 s, far beyond the budget of a test
    expect(await stage.node.call(stage.dialers[1]!, 80)).toMatchObject({ code: 'UNAVAILABLE', remote: false });
  });

  test('a host that is not in the list, and a handler that is none', async () => {
    expect(await stage.node.call('http://stranger.test:9000', 80)).toMatchObject({ remote: false });
    for (const handler of [0, 254, 256, -1, 1.5]) {
      expect(await stage.node.call(host, handler)).toMatchObject({ code: 'INVALID_ARGUMENT', remote: false });
    }
  });

  test('the node itself is called the same way', async () => {
    expect(await stage.node.call(stage.local, 60, { payload: 'me' })).toEqual({ payload: Buffer.from('me') });
    expect(await stage.node.call(stage.local, 60, { payload: 'me', subroute: 'sub/route' })).toEqual({
      payload: Buffer.from('sub/route:me'),
    });
    expect(await stage.node.call(stage.local, 61, { payload: 'oh' })).toEqual({
      code: 'UNKNOWN',
      message: 'oh',
      remote: true,
    });
    expect(await stage.node.call(stage.local, 59)).toMatchObject({ code: 'UNIMPLEMENTED', remote: true });
    const { outputs, error } = await stage.node.stream(stage.local, 65, { inputs: ['a', 'b', 'c'] });
    expect([outputs, error]).toEqual([['a', 'b', 'c'], null]);
  });

  test('ends with the connection: "remote disconnected"', async () => {
    const failed = [stage.node.call(host, 80), stage.node.call(host, 81)];
    await requested();
    await requested();
    peer.socket.terminate();
    for (const failure of failed) {
      expect(await failure).toEqual({ code: 'UNAVAILABLE', message: 'remote disconnected', remote: false });
    }
  });

  test('many at once, answered in another order', async () => {
    const asked = Array.from({ length: 200 }, (_, i) => stage.node.call(host, 80, { payload: String(i) }));
    const calls: RawHandler[] = [];
    while (calls.length < 200) calls.push(await requested());
    expect(new Set(calls.map(({ muxId }) => muxId)).size).toBe(200);
    for (const call of calls.toReversed()) call.respond(`answer ${call.opening.payload.toString()}`);
    expect(await Promise.all(asked)).toEqual(asked.map((_, i) => ({ payload: Buffer.from(`answer ${i}`) })));
  });
});
