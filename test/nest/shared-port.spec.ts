import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Controller, Get, type INestApplication } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { connectGrid, Grid } from 'nestjs-grid';
import { WebSocket } from 'ws';
import { freeHosts, portOf } from '../ports.js';
import { gridPair } from './grid-pair.js';
import { createApp, startApp } from './test-app.js';

@Controller()
class Routes {
  @Get('hello')
  hello(): string {
    return 'over http';
  }

  @MessagePattern(60)
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }
}

@WebSocketGateway({ path: '/chat' })
class Chat {
  @SubscribeMessage('say')
  say(@MessageBody() text: string): { event: string; data: string } {
    return { event: 'said', data: text };
  }
}

@WebSocketGateway()
class Room {
  @SubscribeMessage('say')
  say(@MessageBody() text: string): { event: string; data: string } {
    return { event: 'said', data: text };
  }
}

const apps: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** What a WebSocket at that path comes to: `open`, or the status that refused it. */
function outcomeOf(socket: WebSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('open', () => resolve('open'));
    socket.once('unexpected-response', (_, response) => resolve(String(response.statusCode)));
    socket.once('error', (error) => resolve(error.message));
  });
}

describe.each(['express', 'fastify'] as const)('one port for all, on %s', (adapter) => {
  test('routes, the grid, and a 404 for other WebSockets', async () => {
    const pair = await gridPair({ adapter, metadata: { controllers: [Routes] } });
    try {
      expect(await pair.peer.request(60, 'x')).toBe('x');
      const answer = await fetch(`${pair.grid.local}/hello`);
      expect(await answer.text()).toBe('over http');
      expect((await fetch(`${pair.grid.local}/nowhere`)).status).toBe(404);
      const other = new WebSocket(`${pair.grid.local.replace('http', 'ws')}/chat`);
      expect(await outcomeOf(other)).toBe('404');
    } finally {
      await pair.close();
    }
  });

  test('an upgrade to h2c is served as a plain request, as before', async () => {
    const [local] = (await freeHosts(1)) as [string];
    apps.push((await startApp(local, [local], { adapter, metadata: { controllers: [Routes] } })).app);
    const request = httpRequest(`${local}/hello`, {
      headers: { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' },
    });
    request.end();
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) body += String(chunk);
    expect([response.statusCode, body]).toEqual([200, 'over http']);
  });

  test.each(['before', 'after'])(
    'a gateway of platform-ws on the same server, its adapter set %s connectGrid',
    async (order) => {
      const hosts = await freeHosts(2);
      const useWs = (app: INestApplication): void => void app.useWebSocketAdapter(new WsAdapter(app));
      for (const local of hosts) {
        const { app } = await createApp(local, hosts, {
          adapter,
          metadata: { controllers: [Routes], providers: [Chat] },
          ...(order === 'before' && { prepare: useWs }),
        });
        if (order === 'after') useWs(app);
        apps.push(app);
        await app.listen(portOf(local), '127.0.0.1');
      }
      const [first, second] = hosts as [string, string];
      const peer = apps[0]!.get(Grid).peer(second);
      await peer.waitForConnect({ timeoutMs: 30_000 });
      expect(await peer.request(60, 'x')).toBe('x');

      const chat = new WebSocket(`${first.replace('http', 'ws')}/chat`);
      expect(await outcomeOf(chat)).toBe('open');
      chat.send(JSON.stringify({ event: 'say', data: 'hi' }));
      const [message] = (await once(chat, 'message')) as [Buffer];
      expect(JSON.parse(message.toString())).toEqual({ event: 'said', data: 'hi' });
      chat.terminate();
      expect(await outcomeOf(new WebSocket(`${first.replace('http', 'ws')}/other`))).not.toBe('open');
    },
  );

  test.each(['before', 'after'])(
    'a gateway of platform-socket.io on the same server, its adapter set %s connectGrid',
    async (order) => {
      const hosts = await freeHosts(2);
      const useIo = (app: INestApplication): void => void app.useWebSocketAdapter(new IoAdapter(app));
      for (const local of hosts) {
        const { app } = await createApp(local, hosts, {
          adapter,
          metadata: { controllers: [Routes], providers: [Room] },
          ...(order === 'before' && { prepare: useIo }),
        });
        if (order === 'after') useIo(app);
        apps.push(app);
        await app.listen(portOf(local), '127.0.0.1');
      }
      const [first, second] = hosts as [string, string];
      const peer = apps[0]!.get(Grid).peer(second);
      await peer.waitForConnect({ timeoutMs: 30_000 });

      const room = new WebSocket(`${first.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      const said = new Promise<string>((resolve) => {
        room.on('message', (packet: Buffer) => {
          const text = packet.toString();
          // socket.io by hand: opened, namespace joined, an event each way
          if (text.startsWith('0')) room.send('40');
          else if (text.startsWith('40')) room.send('42["say","hi"]');
          else if (text.startsWith('42')) resolve(text);
        });
      });
      expect(await said).toBe('42["said","hi"]');
      room.terminate();
      // its server drops upgrades that nobody has taken after a second: the grid's is not among them
      expect(await peer.request(60, 'x')).toBe('x');
    },
  );

  test('app.close() does not hang on open grid sockets and running streams; closing twice is fine', async () => {
    const pair = await gridPair({ adapter, metadata: { controllers: [Routes] } });
    await Promise.all([pair.app.close(), pair.app.close()]);
    await pair.app.close();
    await expect(pair.grid.peer(pair.grid.local).request(60)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'closed',
    });
    await pair.close();
  });
});

describe('the port', () => {
  let taken: Server | undefined;
  afterEach(async () => {
    if (taken) await once(taken.close(), 'close');
    taken = undefined;
  });

  test('taken: listen() rejects, and the app can be closed', async () => {
    const [local] = (await freeHosts(1)) as [string];
    taken = createServer().listen(portOf(local), '127.0.0.1');
    await once(taken, 'listening');
    const { app } = await createApp(local, [local]);
    apps.push(app);
    await expect(app.listen(portOf(local), '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('other than that of local: a warning, whether connectGrid came before or after', async () => {
    const [local, elsewhere] = (await freeHosts(2)) as [string, string];
    for (const before of [true, false]) {
      const { app, log } = await createApp(local, [local], before ? {} : { connect: false });
      await app.listen(portOf(elsewhere), '127.0.0.1');
      if (!before) await connectGrid(app);
      expect(log.warnings).toEqual([
        expect.stringContaining(`the app listens on port ${portOf(elsewhere)}, but peers dial ${local}`),
      ]);
      await app.close();
    }
  });

  test('as local says: no warning', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app, log } = await startApp(local, [local]);
    apps.push(app);
    expect([log.warnings, log.errors]).toEqual([[], []]);
  });
});
