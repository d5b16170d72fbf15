import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Controller, Get, Module, NotFoundException, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { connectGrid, getGridToken, Grid, GridError, GridModule, gridMicroservice } from 'nestjs-grid';
import { freeHosts, portOf } from '../ports.js';
import { until } from '../until.js';
import { createApp, LogBook, rootModule, SECRET, type TestAppOptions } from './test-app.js';

@Controller()
class Echo {
  @MessagePattern(60)
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }

  @MessagePattern(61)
  fails(): never {
    throw new NotFoundException('no such thing');
  }
}

const services: INestMicroservice[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.close()));
});

async function create(local: string, hosts: string[], options: TestAppOptions = {}): Promise<INestMicroservice> {
  const module = rootModule(local, hosts, { ...options, metadata: { controllers: [Echo], ...options.metadata } });
  const service = await NestFactory.createMicroservice(module, {
    ...gridMicroservice(),
    logger: new LogBook(),
    abortOnError: false,
  });
  services.push(service);
  return service;
}

describe('a process without HTTP', () => {
  test('has a listener of its own, and calls and is called', async () => {
    const hosts = await freeHosts(2);
    for (const local of hosts) await (await create(local, hosts)).listen();
    const [first, second] = services as [INestMicroservice, INestMicroservice];
    const peer = first.get(Grid).peer(hosts[1]!);
    await peer.waitForConnect({ timeoutMs: 30_000 });
    expect(await peer.request(60, 'x')).toBe('x');
    await expect(peer.request(61)).rejects.toMatchObject({ message: 'no such thing' });
    expect(second.unwrap()).toBe(second.get(Grid));
    const events: string[] = [];
    first.on('down', (event: { peer: string }) => events.push(event.peer));
    await second.close();
    await until(() => events.includes(hosts[1]!), 'the loss is told');
    await first.close();
    await first.close();
  });

  test('listen: another port than that of local', async () => {
    const [local, elsewhere] = (await freeHosts(2)) as [string, string];
    const service = await create(local, [local], { grid: { listen: { host: '127.0.0.1', port: portOf(elsewhere) } } });
    await service.listen();
    expect((await fetch(elsewhere)).status).toBe(404);
    await expect(fetch(local)).rejects.toThrow();
  });

  test('filters of the app come first', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const service = await create(local, [local]);
    service.useGlobalFilters({ catch: () => Promise.reject(new GridError('ABORTED', 'by the filter')) });
    await service.listen();
    await expect(service.get(Grid).peer(local).request(61)).rejects.toMatchObject({ message: 'by the filter' });
  });

  test('a port that is taken, a pattern that is taken: listen() rejects', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const taken = createServer().listen(portOf(local), '127.0.0.1');
    await once(taken, 'listening');
    await expect((await create(local, [local])).listen()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/the port is taken/),
    });
    await once(taken.close(), 'close');

    @Controller()
    class Again {
      @MessagePattern(60)
      again(): void {}
    }
    const twice = await create(local, [local], { metadata: { controllers: [Echo, Again] } });
    await expect(twice.listen()).rejects.toMatchObject({ message: 'two handlers for 60 (Echo.echo and Again.again)' });
  });
});

describe('gridMicroservice()', () => {
  test('with a name that is no option, or none at all, is refused', () => {
    const known = /^gridMicroservice: .*; known are grid$/;
    for (const wrong of [{ name: 'locks' }, 'locks', null]) {
      expect(() => gridMicroservice(wrong as never)).toThrow(known);
    }
  });

  @Controller()
  class Routes {
    @Get('missing')
    missing(): never {
      throw new NotFoundException('no such page');
    }
  }

  test.each([
    ['express', undefined, 'await connectGrid(app)'],
    ['fastify', 'locks', "await connectGrid(app, { grid: 'locks' })"],
  ] as const)(
    'in an app with an HTTP server (%s) is refused and changes nothing there: connectGrid works',
    async (adapter, name, advice) => {
      const [local] = (await freeHosts(1)) as [string];
      const { app } = await createApp(local, [local], {
        adapter,
        connect: false,
        grid: { name },
        metadata: { controllers: [Routes] },
      });
      try {
        expect(() => app.connectMicroservice(gridMicroservice())).toThrow(
          expect.objectContaining({
            code: 'FAILED_PRECONDITION',
            message: expect.stringContaining(`has an HTTP server: put '${advice}' before app.listen()`),
          }),
        );
        await connectGrid(app);
        await app.listen(portOf(local), '127.0.0.1');
        const answer = await fetch(`${local}/missing`);
        expect([answer.status, await answer.json()]).toEqual([
          404,
          { statusCode: 404, error: 'Not Found', message: 'no such page' },
        ]);
      } finally {
        await app.close();
      }
    },
  );

  test('with two grids: one starts, the other says what is possible, which is an HTTP app', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const log = new LogBook();
    const options = { local, hosts: [local], auth: { secret: SECRET }, logger: log };
    const imports = [GridModule.forRoot(options), GridModule.forRoot({ ...options, name: 'locks', route: '/locks' })];
    class TwoGrids {}
    Module({ imports, controllers: [Echo] })(TwoGrids);

    const service = await NestFactory.createMicroservice(TwoGrids, {
      ...gridMicroservice({ grid: 'locks' }),
      logger: log,
    });
    services.push(service);
    await service.listen();
    const locks = service.get<Grid>(getGridToken('locks'));
    expect(await locks.peer(local).request(60, 'x')).toBe('x');
    const advice = 'for one grid only: to have several make it an HTTP app';
    expect(log.errors).toEqual([expect.stringMatching(`grid 'default' is not connected.* ${advice}`)]);
    await expect(service.get(Grid).peer(local).request(60)).rejects.toThrow(advice);
    await service.close();

    const app = await NestFactory.create(TwoGrids, { logger: log });
    await connectGrid(app);
    await connectGrid(app, { grid: 'locks' });
    await app.listen(portOf(local), '127.0.0.1');
    for (const token of [Grid, getGridToken('locks')]) {
      expect(await app.get<Grid>(token).peer(local).request(60, 'x')).toBe('x');
    }
    await app.close();
  });

  test('works in a module of @nestjs/testing', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const imports = [rootModule(local, [local], { metadata: { controllers: [Echo] } })];
    const module = await Test.createTestingModule({ imports }).compile();
    const service = module.createNestMicroservice(gridMicroservice());
    services.push(service);
    await service.listen();
    expect(await service.get(Grid).peer(local).request(60, 'x')).toBe('x');
  });
});
