import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Controller, Module, type INestApplication, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Grid, GridModule, gridMicroservice } from 'nestjs-grid';
import { firstValueFrom, Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { freeHosts, freePorts, portOf } from '../ports.js';
import { until } from '../until.js';
import { createApp, LogBook, SECRET, startApp } from './test-app.js';

const apps: (INestApplication | INestMicroservice)[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

@Controller()
class Sums {
  @MessagePattern('sum')
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern('tcp.only', Transport.TCP)
  tcpOnly(): string {
    return 'tcp';
  }
}

test('a TCP transport beside the grid: the same handlers, each started by its own words', async () => {
  const [local, tcp] = (await freeHosts(2)) as [string, string];
  const { app } = await createApp(local, [local], { metadata: { controllers: [Sums] } });
  apps.push(app);
  app.connectMicroservice({ transport: Transport.TCP, options: { host: '127.0.0.1', port: portOf(tcp) } });
  await app.startAllMicroservices();
  await app.listen(portOf(local), '127.0.0.1');

  const peer = app.get(Grid).peer(local);
  expect(await peer.request('sum', [1, 2])).toBe(3);
  await expect(peer.request('tcp.only')).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port: portOf(tcp) },
  });
  expect(await firstValueFrom(client.send('sum', [1, 2]))).toBe(3);
  expect(await firstValueFrom(client.send('tcp.only', {}))).toBe('tcp');
  client.close();
});

describe('preRequest hooks', () => {
  const store = new AsyncLocalStorage<string>();

  @Controller()
  class Stored {
    @MessagePattern(60)
    value(): string | undefined {
      return store.getStore();
    }

    @MessagePattern(61)
    async *generator(): AsyncGenerator<string | undefined> {
      yield store.getStore();
      await Promise.resolve();
      yield store.getStore();
    }
  }

  test('run around each call, and generators keep their store', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app, log } = await createApp(local, [local], { metadata: { controllers: [Stored] } });
    apps.push(app);
    const [service] = app.getMicroservices();
    service!.registerPreRequestHook((_context, next) => {
      return new Observable((subscriber) => store.run('of the hook', () => next().subscribe(subscriber)));
    });
    await app.listen(portOf(local), '127.0.0.1');
    const peer = app.get(Grid).peer(local);
    expect(await peer.request(60)).toBe('of the hook');
    const values: unknown[] = [];
    for await (const value of peer.stream(61)) values.push(value);
    expect(values).toEqual(['of the hook', 'of the hook']);
    expect(log.warnings).toEqual([]);
  });
});

describe('a gateway in a process without HTTP', () => {
  test('still answers its errors itself', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const [port] = (await freePorts(1)) as [number];

    @WebSocketGateway(port)
    class Chat {
      @SubscribeMessage('fail')
      fail(): never {
        throw new Error('in the gateway');
      }
    }
    @Module({
      imports: [GridModule.forRoot({ local, hosts: [local], auth: { secret: SECRET } })],
      providers: [Chat],
    })
    class AppModule {}
    const service = await NestFactory.createMicroservice(AppModule, {
      ...gridMicroservice(),
      logger: new LogBook(),
      abortOnError: false,
    });
    apps.push(service);
    service.useWebSocketAdapter(new WsAdapter(service));
    await service.listen();
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await once(socket, 'open');
    socket.send(JSON.stringify({ event: 'fail', data: {} }));
    const [message] = (await once(socket, 'message')) as [Buffer];
    expect(JSON.parse(message.toString())).toMatchObject({
      event: 'exception',
      data: { message: 'Internal server error' },
    });
    socket.terminate();
  });
});

test('waitForPeers does not keep an HTTP app from listening; that peers are missing is logged', async () => {
  const hosts = await freeHosts(2);
  const { app, log } = await startApp(hosts[0]!, hosts, {
    grid: { waitForPeers: { count: 1, timeoutMs: 50 }, intervals: { redialMs: 10_000 } },
  });
  apps.push(app);
  await until(() => log.errors.length > 0, 'it is logged');
  expect(log.errors).toEqual([expect.stringContaining('DEADLINE_EXCEEDED')]);
});

test.each(['express', 'fastify'] as const)('localhost, by whichever address it is reached, on %s', async (adapter) => {
  const hosts = (await freePorts(2)).map((port) => `http://localhost:${port}`);
  for (const local of hosts) {
    const { app } = await createApp(local, hosts, { adapter, metadata: { controllers: [Sums] } });
    apps.push(app);
    await app.listen(portOf(local), 'localhost');
  }
  const peer = apps[0]!.get(Grid).peer(hosts[1]!);
  await peer.waitForConnect({ timeoutMs: 30_000 });
  expect(await peer.request('sum', [1])).toBe(1);
});
