import { afterEach, describe, expect, test } from '@jest/globals';
import { Controller, Injectable, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { connectGrid, Grid, GridContext, GridModule, InjectGrid } from 'nestjs-grid';
import { from, type Observable } from 'rxjs';
import { freeHosts, portOf } from '../ports.js';
import { LogBook, SECRET } from './test-app.js';

interface Info {
  readonly free: number;
  readonly asked: string;
}
interface Entry {
  readonly name: string;
}

@Controller()
class DiskController {
  @MessagePattern(60)
  info(@Payload() request: object, @Ctx() context: GridContext): Info {
    expect(request).toEqual({ noOp: true });
    return { free: 1, asked: context.peer };
  }

  @MessagePattern(61)
  walk(@Payload() request: { bucket: string }): Observable<Entry> {
    return from(['x', 'y', 'z'].map((name) => ({ name: `${request.bucket}/${name}` })));
  }
}

@Injectable()
class Inventory {
  constructor(@InjectGrid() private readonly grid: Grid) {}

  async look(host: string): Promise<{ info: Info; entries: Entry[] }> {
    const peer = this.grid.peer(host);
    await peer.waitForConnect({ timeoutMs: 30_000 });
    const info = await peer.request<Info>(60, { noOp: true }, { timeoutMs: 5_000 });
    const entries: Entry[] = [];
    for await (const entry of peer.stream<Entry>(61, { bucket: 'b' })) entries.push(entry);
    return { info, entries };
  }
}

const apps: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

describe.each(['express', 'fastify'])('three steps to the first call, on %s', (adapter) => {
  test('two apps call each other over one connection, and a host calls itself', async () => {
    const hosts = await freeHosts(2);
    for (const local of hosts) {
      @Module({
        imports: [GridModule.forRoot({ local, hosts, auth: { secret: SECRET } })],
        controllers: [DiskController],
        providers: [Inventory],
      })
      class AppModule {}
      const settings = { logger: new LogBook(), abortOnError: false };
      const app: INestApplication =
        adapter === 'fastify'
          ? await NestFactory.create(AppModule, new FastifyAdapter(), settings)
          : await NestFactory.create(AppModule, settings);
      await connectGrid(app);
      await app.listen(portOf(local), '127.0.0.1');
      apps.push(app);
    }
    for (const [index, app] of apps.entries()) {
      for (const host of hosts) {
        expect(await app.get(Inventory).look(host)).toEqual({
          info: { free: 1, asked: hosts[index] },
          entries: [{ name: 'b/x' }, { name: 'b/y' }, { name: 'b/z' }],
        });
      }
    }
  });
});
