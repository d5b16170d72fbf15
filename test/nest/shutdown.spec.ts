import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { Controller, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { WebSocket } from 'ws';
import { until } from '../until.js';
import { gridPair } from './grid-pair.js';

const order: string[] = [];
let finish = (): void => {};

@Injectable()
class Disk implements OnModuleDestroy {
  private open = true;

  onModuleDestroy(): void {
    this.open = false;
    order.push('disk closed');
  }

  async read(): Promise<string> {
    order.push('reading');
    await new Promise<void>((resolve) => (finish = resolve));
    order.push('read');
    return this.open ? 'content' : 'from a closed disk';
  }
}

@Controller()
class DiskController {
  constructor(private readonly disk: Disk) {}

  @MessagePattern(60)
  read(): Promise<string> {
    return this.disk.read();
  }
}

describe('app.close() while a handler runs', () => {
  test('the handler ends and its caller is answered, before any provider is torn down', async () => {
    const metadata = { controllers: [DiskController], providers: [Disk] };
    const pair = await gridPair({ metadata, grid: { drainTimeoutMs: 10_000 } });
    try {
      const answer = pair.peer.request(60);
      await until(() => order.includes('reading'), 'the handler runs');
      let draining = false;
      pair.grid.events.subscribe((event) => (draining ||= event.type === 'draining'));
      const closing = pair.app.close();
      await until(() => draining, 'the grid drains');
      expect(order).toEqual(['reading']);
      finish();
      expect(await answer).toBe('content');
      await closing;
      expect(order).toEqual(['reading', 'read', 'disk closed']);
    } finally {
      await pair.close();
    }
  });

  test('one that does not end is given up after drainTimeoutMs', async () => {
    const metadata = { controllers: [DiskController], providers: [Disk] };
    const pair = await gridPair({ metadata, grid: { drainTimeoutMs: 50 } });
    order.length = 0;
    const answer = pair.peer.request(60);
    const failed = expect(answer).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    await until(() => order.includes('reading'), 'the handler runs');
    await pair.app.close();
    await failed;
    await pair.close();
  });
});

test('who dials while the app ends behind its grid is answered that this host shuts down', async () => {
  const answers: unknown[] = [];
  @Injectable()
  class Late implements OnModuleDestroy {
    async onModuleDestroy(): Promise<void> {
      const socket = new WebSocket(`${pair.grid.local.replace('http', 'ws')}/grid/v1`);
      socket.on('error', () => {});
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
      answers.push(response.statusCode);
      for await (const text of response.setEncoding('utf8')) answers.push(text);
      socket.terminate();
    }
  }
  const pair = await gridPair({ metadata: { providers: [Late] } });
  try {
    const server: object = pair.app.getHttpServer();
    await pair.app.close();
    expect(answers).toEqual([503, 'this host is shutting down']);
    // and nothing of the grid is left on it
    expect(Object.hasOwn(server, 'emit')).toBe(false);
  } finally {
    await pair.close();
  }
});
