// conformance-node.md: how the node starts, what it prints, how it leaves; and two of them with each other.
import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { freeHost } from '../ports.js';
import { ConformanceNode, dialersOf } from './conformance-node.js';
import { until } from './hang-budget.js';
import { op } from './raw-codec.js';
import { body } from './raw-msgpack.js';
import { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';

const nodes: ConformanceNode[] = [];

async function start(options: Partial<Parameters<typeof ConformanceNode.start>[0]> = {}): Promise<ConformanceNode> {
  const local = options.local ?? await freeHost();
  const node = await ConformanceNode.start({ local, hosts: dialersOf(local, 1), ...options });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) {
    node.child.kill('SIGKILL');
    await node.exit;
  }
});

const connect = (node: ConformanceNode, more = {}): Promise<RawPeer> =>
  RawPeer.dial(node.local, { host: dialersOf(node.local, 1)[0]!, ...more });

test('npm run --silent conformance prints the ready line and nothing else, and leaves on SIGTERM', async () => {
  const node = await start({ command: ['npm', 'run', '--silent', 'conformance'] });
  await (await connect(node)).settle();
  const { ms } = await node.stop();
  expect(ms).toBeLessThan(2_000);
  expect(node.lines).toEqual([JSON.stringify({ ready: true, local: node.local })]);
  await until(
    async () =>
      !(await connect(node).then(
        () => true,
        () => false,
      )),
    'somebody still listens',
  );
}, 90_000);

test("the token and the route are the environment's", async () => {
  const node = await start({ env: { GRID_TOKEN: 'another', GRID_ROUTE: '/grid/other' } });
  await expect(connect(node)).rejects.toThrow('404');
  await expect(connect(node, { route: '/grid/other' })).rejects.toThrow('401');
  await (await connect(node, { route: '/grid/other', token: 'another' })).settle();
});

test('a token and a route that are empty are those that count without one', async () => {
  const node = await start({ env: { GRID_TOKEN: '', GRID_ROUTE: '' } });
  await (await connect(node, { token: 'debug', route: '/minio/grid/v1' })).settle();
});

describe('does not start', () => {
  test.each([
    ['without GRID_LOCAL', { GRID_LOCAL: '' }, 'GRID_LOCAL'],
    ['without GRID_HOSTS', { GRID_HOSTS: '' }, 'GRID_HOSTS'],
    ['with a list that lacks itself', { GRID_HOSTS: 'http://127.0.0.1:1,http://127.0.0.1:2' }, 'hosts'],
  ])('%s', async (_, env, named) => {
    await expect(start({ env })).rejects.toThrow(named);
  });

  test('on a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    try {
      await expect(start({ local: `http://127.0.0.1:${port}` })).rejects.toThrow('EADDRINUSE');
    } finally {
      taken.close();
      await once(taken, 'close');
    }
  });
});

describe('SIGTERM', () => {
  test('an idle node leaves with 0, its connections closed with 1001', async () => {
    const node = await start();
    const peer = await connect(node);
    await peer.settle();
    const { code, ms } = await node.stop();
    expect([code, ms < 2_000]).toEqual([0, true]);
    expect((await peer.closed).code).toBe(1001);
    peer.assertClean();
  });

  test('what runs and ends in time is answered; new calls are refused as draining', async () => {
    const node = await start();
    const peer = await connect(node);
    const slow = peer.ask(62, '500');
    await peer.settle();
    const left = node.stop();
    const refusal = await until(async () => {
      const answer = await peer.call(60, 'more');
      return answer.op === op.MuxConnectError && answer;
    }, 'new calls are served on');
    expect(body(refusal.payload)).toEqual({ Error: 'draining' });
    expect((await peer.next({ muxId: slow })).payload.toString()).toBe('done');
    expect((await left).code).toBe(0);
    expect((await peer.closed).code).toBe(1001);
    peer.assertClean();
  });

  test('what does not end is cut after a second', async () => {
    const node = await start();
    const peer = await connect(node);
    await RawStream.opened(peer, 67);
    await RawStream.opened(peer, 69, '', { input: true });
    await RawStream.opened(peer, 71, '1000000');
    peer.ask(62, '60000');
    await peer.settle();
    const { code, ms } = await node.stop();
    expect([code, ms < 2_000]).toEqual([0, true]);
    peer.assertClean();
  });

  test('calls that the node made are cut too; who asked for them over HTTP is told', async () => {
    const node = await start();
    const peer = await connect(node);
    const [host] = dialersOf(node.local, 1);
    const pending = [node.call(host!, 80), node.stream(host!, 81)] as const;
    await peer.next({ op: op.Request });
    await peer.next({ op: op.ConnectMux });
    // one that keeps its connection, as browsers do; one that never asks; a socket without a Connect
    const { port, hostname } = new URL(node.local);
    const idle = createConnection(Number(port), hostname);
    idle.write('GET /state HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle, 'data');
    const mute = createConnection(Number(port), hostname);
    await once(mute, 'connect');
    const silent = await RawPeer.open(node.local, { host: host! });
    try {
      const { code, ms } = await node.stop();
      expect([code, ms < 2_000]).toEqual([0, true]);
      expect(await pending[0]).toMatchObject({ code: 'UNAVAILABLE', remote: false });
      expect((await pending[1]).error).toMatchObject({ code: 'UNAVAILABLE', remote: false });
    } finally {
      for (const socket of [idle, mute]) socket.destroy();
    }
    await silent.closed;
    peer.assertClean();
  });

  test('a peer that is being dialed does not keep it', async () => {
    const local = await freeHost();
    const node = await start({ local, hosts: Array.from({ length: 20 }, (_, i) => `http://127.0.0.1:${i + 1}`) });
    expect((await node.stop()).code).toBe(0);
  });
});

test('two nodes call each other, whoever dialed', async () => {
  const [one, two] = [await freeHost(), await freeHost()];
  const pair = await Promise.all([start({ local: one, hosts: [two] }), start({ local: two, hosts: [one] })]);
  for (const [node, other] of [
    [pair[0], two],
    [pair[1], one],
  ] as const) {
    await node.reaches(other, 'connected', 10_000);
    expect(await node.call(other, 60, { payload: 'ping' })).toEqual({ payload: Buffer.from('ping') });
    expect(await node.call(other, 60, { payload: '' })).toEqual({ payload: null });
    expect(await node.call(other, 70)).toEqual({ payload: Buffer.alloc(0) });
    expect(await node.call(other, 61, { payload: 'bad' })).toEqual({ code: 'UNKNOWN', message: 'bad', remote: true });
    expect(await node.call(other, 62, { payload: '5000', deadlineMs: 100 })).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      remote: false,
    });
    expect(await node.call(other, 62, { payload: '5000', cancelAfterMs: 50 })).toMatchObject({
      code: 'CANCELLED',
      remote: false,
    });
    expect(await node.call(other, 63)).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: 'streams: call stream()',
      remote: true,
    });
    const inputs = Array.from({ length: 100 }, (_, i) => String(i));
    expect(await node.stream(other, 64, { inputs })).toEqual({ outputs: ['100'], error: null });
    expect(await node.stream(other, 65, { inputs })).toEqual({ outputs: inputs, error: null });
    expect(await node.stream(other, 65, { inputs, subroute: 'sub/route' })).toEqual({ outputs: inputs, error: null });
    expect(await node.stream(other, 66, { payload: 'end' })).toEqual({
      outputs: ['a', 'b'],
      error: { code: 'UNKNOWN', message: 'end', remote: true },
    });
    expect(await node.stream(other, 71, { payload: '100' })).toEqual({ outputs: inputs, error: null });
    expect(await node.stream(other, 71, { payload: '100', many: true })).toEqual({ outputs: inputs, error: null });
    expect(await node.stream(other, 60, { payload: 'x', many: true })).toEqual({ outputs: ['x'], error: null });
    expect((await node.stream(other, 67, { deadlineMs: 100 })).error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect((await node.stream(other, 71, { payload: '100000', cancelAfter: 3 })).outputs).toEqual(['0', '1', '2']);
    expect((await node.stream(other, 69, { inputs, deadlineMs: 100 })).error).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    await until(
      async () => ((await node.call(other, 68)) as { payload: Buffer }).payload.toString() === '0',
      'handlers still run',
    );
  }
});
