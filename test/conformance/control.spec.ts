// GET /state, and who may ask.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { LoopbackGuard } from '../../sample/conformance/src/loopback.guard.js';
import { op } from './raw-codec.js';
import { RawHandler } from './raw-handler.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
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
const opened = (): Promise<RawHandler> => RawHandler.called(peer, { op: op.ConnectMux });

describe('GET /state', () => {
  test('lists the other hosts and counts open calls', async () => {
    const calls = [stage.node.call(host, 80), stage.node.call(host, 80), stage.node.stream(host, 81)];
    const handlers = [await requested(), await requested()];
    const stream = await opened();
    const incoming = [await RawStream.opened(peer, 67), await RawStream.opened(peer, 69, '', { input: true })];
    const { local, peers, handlers: counted } = await stage.node.state();
    expect(local).toBe(stage.local);
    expect(peers.map((one) => one.host).sort()).toEqual([...stage.dialers].sort());
    expect(counted.running).toBe(2);
    const one = await stage.node.peer(host);
    expect(one).toEqual({
      host,
      state: 'connected',
      outgoing: 3,
      incoming: 2,
      queued: expect.any(Number),
      reconnects: expect.any(Number),
      lastPingMs: one.lastPingMs === null ? null : expect.any(Number),
    });
    for (const call of handlers) call.respond('');
    stream.ack();
    stream.end();
    for (const call of incoming) call.cancel();
    await Promise.all(calls);
    await peer.settle();
    expect(await stage.node.peer(host)).toMatchObject({ outgoing: 0, incoming: 0 });
  });

  test('follows the connection', async () => {
    expect((await stage.node.peer(stage.dialers[1]!)).state).toBe('connecting');
    const { reconnects } = await stage.node.peer(host);
    peer.socket.terminate();
    await stage.node.reaches(host, 'disconnected');
    await stage.peer();
    expect((await stage.node.reaches(host, 'connected')).reconnects).toBe(reconnects + 1);
  });

  test('a body that is wrong is answered with 400', async () => {
    for (const wrong of [{}, { host, handler: 'x', payload: '' }, { host, handler: 1, payload: 'not base64!' }]) {
      expect((await stage.node.http('POST', '/call', wrong)).status).toBe(400);
    }
  });
});

test.each([[undefined], ['text/plain'], ['application/x-www-form-urlencoded']])(
  'a body is JSON, whatever type it is said to have: %s',
  async (type) => {
    // bytes, for which fetch names no type by itself
    const body = Buffer.from(JSON.stringify({ host: 'http://nobody.test:1', handler: 60, payload: '' }));
    const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
    const answer = await fetch(`${stage.local}/call`, { method: 'POST', headers, body });
    expect(await answer.json()).toMatchObject({ code: 'INVALID_ARGUMENT', remote: false });
    expect(answer.status).toBe(502);
  },
);

test.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['fe80::1', false],
  [undefined, false],
])('the control answers %s: %s', (remoteAddress, answered) => {
  const http = { getRequest: () => ({ socket: { remoteAddress } }) };
  const context = { switchToHttp: () => http } as unknown as ExecutionContext;
  expect(new LoopbackGuard().canActivate(context)).toBe(answered);
});
