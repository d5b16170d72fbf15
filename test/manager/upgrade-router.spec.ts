import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { answerUpgrade, routeUpgrades } from '../../lib/manager/upgrade-router.js';
import { get } from './raw-dialer.js';
import { thrownBy } from './refusal.js';

let server: Server;
let origin: string;

beforeEach(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const kept = request.headers['x-kept'] ?? '';
      response.end(`${request.method} ${request.url} ${kept} ${Buffer.concat(chunks).toString()}`.trim());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
});

const h2c = {
  connection: 'Upgrade, HTTP2-Settings',
  upgrade: 'h2c',
  'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA',
  'x-kept': 'kept',
};

/** What a WebSocket to the path gets: its first message, or the status. */
async function ws(path: string): Promise<string | number> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}${path}`);
  return await new Promise((resolve) => {
    socket.on('error', () => resolve(0));
    socket.on('message', (data: Buffer) => {
      resolve(data.toString());
      socket.terminate();
    });
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
  });
}

function teapot(path: string): () => void {
  return routeUpgrades(server, path, (_request, socket) => answerUpgrade(socket, 403, path));
}

/** A gateway as frameworks make it: it destroys the sockets of each path that it does not know. */
function gateway(path: string): void {
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== path) return socket.destroy();
    sockets.handleUpgrade(request, socket, head, (socket) => socket.send(`gateway ${path}`));
  });
}

describe('the grid on a server of somebody else', () => {
  it('takes its own route only, with or without a query', async () => {
    teapot('/grid');
    expect(await ws('/grid')).toBe(403);
    expect(await ws('/grid?token=x')).toBe(403);
    expect(await ws('/grid/x')).toBe(404);
    expect(await ws('/other')).toBe(404);
  });

  it('takes it in absolute form too, as proxies may send it', async () => {
    teapot('/');
    teapot('/grid');
    const answerTo = async (target: string): Promise<unknown> => {
      const { status, body } = await get(origin, target, { connection: 'upgrade', upgrade: 'websocket' });
      return status === 403 ? body : status;
    };
    for (const authority of [origin, 'http://node-1', 'HTTPS://[::1]:9000']) {
      const targets = ['/grid', '/grid?token=x', '', '?token=x', '/', '/other'];
      const answers = await Promise.all(targets.map((target) => answerTo(`${authority}${target}`)));
      expect(answers).toEqual(['/grid', '/grid', '/', '/', '/', 404]);
    }
  });

  it.each(['before', 'after'])('lives with a gateway that came %s it', async (order) => {
    if (order === 'before') gateway('/chat');
    const detach = teapot('/grid');
    if (order === 'after') gateway('/chat');
    expect(await ws('/grid')).toBe(403);
    expect(await ws('/chat')).toBe('gateway /chat');
    expect(await ws('/other')).toBe(0);
    detach();
    expect(await ws('/grid')).toBe(0);
    expect(await ws('/chat')).toBe('gateway /chat');
  });

  it('leaves plain requests alone', async () => {
    teapot('/grid');
    expect(await get(origin, '/grid', {})).toEqual({ status: 200, body: 'GET /grid' });
    expect(await get(origin, '/x', {}, 'body')).toEqual({ status: 200, body: 'POST /x  body' });
  });

  it('has h2c and unknown upgrades served as the plain requests that they were', async () => {
    const before = await get(origin, '/x', h2c);
    expect(before).toEqual({ status: 200, body: 'GET /x kept' });
    teapot('/grid');
    expect(await get(origin, '/x', h2c)).toEqual(before);
    expect(await get(origin, '/grid', h2c)).toEqual({ status: 200, body: 'GET /grid kept' });
    expect(await get(origin, '/x', { connection: 'upgrade', upgrade: 'what' })).toEqual({
      status: 200,
      body: 'GET /x',
    });
    expect(await get(origin, '/x', h2c, 'with a body')).toEqual({ status: 200, body: 'POST /x kept with a body' });
  });

  describe('of a Node that asks which requests are upgrades', () => {
    type Ask = (request: object) => boolean;
    const webSocket = (url: string): object => ({ url, headers: { upgrade: 'WebSocket' } });
    const other = { url: '/grid', headers: { upgrade: 'h2c' } };
    let asking: { shouldUpgradeCallback: Ask };

    beforeEach(() => {
      asking = server as unknown as typeof asking;
      asking.shouldUpgradeCallback = function byDefault(this: Server) {
        return this.listenerCount('upgrade') > 0;
      };
    });

    it('answers for its own WebSockets, and for those of nobody', () => {
      const before = asking.shouldUpgradeCallback;
      const detach = teapot('/grid');
      const answers = (): boolean[] =>
        [webSocket('/grid?x'), webSocket('/chat'), other].map((request) => asking.shouldUpgradeCallback(request));
      expect(answers()).toEqual([true, true, false]);
      gateway('/chat');
      expect(answers()).toEqual([true, true, true]);
      detach();
      expect(asking.shouldUpgradeCallback).toBe(before);
    });

    it("leaves all others to the application's own answer", () => {
      const refused: object[] = [];
      asking.shouldUpgradeCallback = (request) => refused.push(request) === 0;
      teapot('/grid');
      gateway('/chat');
      const chat = webSocket('/chat');
      expect([webSocket('/grid'), chat, other].map((request) => asking.shouldUpgradeCallback(request))).toEqual([
        true,
        false,
        false,
      ]);
      expect(refused).toEqual([chat, other]);
    });

    it('only passes on where somebody wrapped the answer after us', () => {
      const detach = teapot('/grid');
      const ours = asking.shouldUpgradeCallback;
      const wrapped: Ask = (request) => ours.call(server, request);
      asking.shouldUpgradeCallback = wrapped;
      detach();
      expect(asking.shouldUpgradeCallback).toBe(wrapped);
      expect(wrapped(webSocket('/grid'))).toBe(false);
    });
  });

  it('refuses a second grid with the same route', () => {
    const detach = teapot('/grid');
    expect(thrownBy(() => teapot('/grid'))).toMatchObject({
      code: 'ALREADY_EXISTS',
      message: expect.stringContaining('/grid'),
    });
    detach();
    teapot('/grid');
  });

  it('leaves the server as it was when the last route is gone', async () => {
    const detachments = [teapot('/a'), teapot('/b')];
    detachments[0]!();
    detachments[0]!();
    expect(await ws('/b')).toBe(403);
    expect(await ws('/a')).toBe(404);
    detachments[1]!();
    expect(Object.hasOwn(server, 'emit')).toBe(false);
    expect(server.listenerCount('upgrade')).toBe(0);
    teapot('/c');
    expect(await ws('/c')).toBe(403);
  });

  it('only passes on where somebody wrapped it after us', async () => {
    const detach = teapot('/grid');
    const ours = server.emit;
    const seen: string[] = [];
    server.emit = function wrapped(this: Server, event: string, ...args: unknown[]) {
      seen.push(event);
      return Reflect.apply(ours, this, [event, ...args]);
    } as Server['emit'];
    expect(await ws('/grid')).toBe(403);
    detach();
    expect(await get(origin, '/grid', h2c)).toEqual({ status: 200, body: 'GET /grid kept' });
    expect(seen).toContain('upgrade');
    expect(seen).toContain('request');
  });
});
