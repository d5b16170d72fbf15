import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Controller, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { GridClient, GridModule, GridRequest, InjectGridClient } from 'nestjs-grid';
import { GridTestingModule, ManualClock } from 'nestjs-grid/testing';
import type { Observable } from 'rxjs';
import { handled } from '../../lib/errors/index.js';
import { until } from '../until.js';

@Controller()
class Echo {
  @MessagePattern(60)
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }

  @MessagePattern(61)
  never(): Promise<never> {
    return new Promise(() => {});
  }
}

let cluster: GridTestingModule | undefined;
afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

describe('GridTestingModule', () => {
  test.each(['memory', 'loopback'] as const)('three apps over %s: each calls each', async (wire) => {
    cluster = await GridTestingModule.create({ nodes: 3, wire, metadata: { controllers: [Echo] } });
    for (const { grid } of cluster.nodes) {
      for (const { origin } of cluster.nodes) expect(await grid.peer(origin).request(60, origin)).toBe(origin);
    }
    cluster.assertIdle();
  });

  test('a grid with a name, beside another one without', async () => {
    @Controller()
    class OfLocks {
      @GridRequest(60, { grid: 'locks' })
      lock(payload: string): string {
        return `locked ${payload}`;
      }
    }
    const logger = { log: () => {}, warn: () => {}, error: () => {} };
    const other = { local: 'http://o:1', hosts: ['http://o:1'], auth: 'none', logger } as const;
    for (const imports of [[], [GridModule.forRoot(other)]]) {
      const metadata = { controllers: [OfLocks], imports };
      cluster = await GridTestingModule.create({ grid: { name: 'locks' }, metadata });
      expect(cluster.nodes[0]!.grid.name).toBe('locks');
      expect(await cluster.peer(0, 1).request(60, 'x')).toBe('locked x');
      await cluster.close();
    }
  });

  describe('modules with a grid of their own', () => {
    @Injectable()
    class Database {
      name(): string {
        throw new Error('a test must not get here');
      }
    }

    @Controller()
    class Named {
      constructor(private readonly database: Database) {}

      @MessagePattern(62)
      name(): string {
        return this.database.name();
      }
    }

    const useFactory = (): never => {
      throw new Error('the options of production were asked for');
    };
    const parts = { controllers: [Echo, Named], providers: [Database] };

    @Module({ imports: [GridModule.forRootAsync({ useFactory })], ...parts })
    class AppModule {}

    @Module({ imports: [GridModule.forRootAsync({ name: 'locks', useFactory })], ...parts })
    class LocksModule {}

    test.each([
      ['its only grid, Express', AppModule, {}],
      ['a grid with a name, Fastify', LocksModule, { grid: { name: 'locks' }, adapter: () => new FastifyAdapter() }],
    ])('%s: the grid is replaced, what the builder overrides too', async (_, module, options) => {
      cluster = await GridTestingModule.create({
        ...options,
        app: (index, origin) =>
          Test.createTestingModule({ imports: [module] })
            .overrideProvider(Database)
            .useValue({ name: () => `database ${index} of ${origin}` }),
      });
      expect(await cluster.peer(0, 1).request(62)).toBe('database 1 of http://node-2:9000');
      expect(await cluster.peer(1, 0).request(60, 'x')).toBe('x');
      cluster.assertIdle();
    });

    test('two services with clients of each other, by their names in production', async () => {
      const [shop, stock] = ['https://shop.example', 'http://stock:9000'] as const;

      @Controller()
      class Shop {
        constructor(@InjectGridClient('STOCK') private readonly stock: GridClient) {}

        @MessagePattern(63)
        ask(payload: string): Observable<string> {
          return this.stock.send<string>(60, `asked for ${payload}`);
        }
      }

      const imports = [GridModule.forRootAsync({ useFactory })];
      const clients = GridModule.forFeature([{ name: 'STOCK', peer: stock }]);

      @Module({ imports: [...imports, clients], controllers: [Shop] })
      class ShopModule {}

      @Module({ imports, controllers: [Echo] })
      class StockModule {}

      cluster = await GridTestingModule.create({
        nodes: [shop, stock],
        app: (_, origin) => Test.createTestingModule({ imports: [origin === shop ? ShopModule : StockModule] }),
      });
      expect(cluster.nodes.map(({ origin }) => origin)).toEqual([shop, stock]);
      expect(await cluster.peer(1, 0).request(63, 'pears')).toBe('asked for pears');
      cluster.assertIdle();
    });

    test('origins are for sockets in memory', async () => {
      const nodes = ['http://a:1', 'http://b:1'];
      await expect(GridTestingModule.create({ nodes, wire: 'loopback' })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('it must be a number: loopback takes free ports'),
      });
    });

    test('one whose grid has another name says which', async () => {
      const app = (): TestingModuleBuilder =>
        Test.createTestingModule({
          imports: [GridModule.forRoot({ name: 'locks', local: 'http://o:1', hosts: ['http://o:1'], auth: 'none' })],
        });
      await expect(GridTestingModule.create({ app })).rejects.toMatchObject({
        code: 'FAILED_PRECONDITION',
        message: expect.stringContaining("there is not a grid named 'default' to connect; the app has 'locks'"),
      });
    });

    test('metadata beside it is refused', async () => {
      const app = (): TestingModuleBuilder => Test.createTestingModule({ imports: [AppModule] });
      await expect(GridTestingModule.create({ app, metadata: {} })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    });
  });

  test('apps that cannot be connected are closed, and the reason is told', async () => {
    let open = 0;
    @Injectable()
    class Connections implements OnModuleDestroy {
      constructor() {
        open++;
      }

      onModuleDestroy(): void {
        open--;
      }
    }
    const metadata = { providers: [Connections] };
    const made = GridTestingModule.create({ metadata, connect: { grid: 'locks' } });
    await expect(made).rejects.toThrow("there is not a grid named 'locks' to connect");
    expect(open).toBe(0);
  });

  test.each(['memory', 'loopback'] as const)('hosts that refuse each other over %s fail it', async (wire) => {
    const verify = (): never => {
      throw new Error('unknown');
    };
    const made = GridTestingModule.create({ wire, grid: { auth: { sign: () => 'x', verify } } });
    await expect(made).rejects.toThrow(/^http:\/\/\S+ refuses http:\/\/\S+: .*the token is not valid: unknown$/);
  });

  test('metadata per host, another adapter, a manual clock', async () => {
    const clock = new ManualClock();
    cluster = await GridTestingModule.create({
      metadata: (index) => ({ controllers: index === 0 ? [Echo] : [] }),
      adapter: () => new FastifyAdapter(),
      grid: { clock },
    });
    await expect(cluster.peer(0, 1).request(60)).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    const call = cluster.peer(1, 0).request(61, undefined, { timeoutMs: 5_000 });
    await until(() => cluster!.nodes[0]!.grid.stats().peers[0]!.running === 1, 'the handler runs');
    await cluster.peer(1, 0).ping();
    const failed = expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(() => cluster!.assertIdle()).toThrow(/node-2:9000 with http:\/\/node-1:9000: 1 outgoing calls/);
    clock.advance(5_000);
    await failed;
    await cluster.close();
    expect(clock.timers).toBe(0);
  });

  test.each(['memory', 'loopback'] as const)('minutes pass over %s, and the connections stand', async (wire) => {
    const grid = { clock: new ManualClock(), drainTimeoutMs: 0 };
    cluster = await GridTestingModule.create({ wire, metadata: { controllers: [Echo] }, grid });
    let downs = 0;
    for (const node of cluster.nodes) node.grid.events.subscribe(({ type }) => type === 'down' && downs++);
    const call = cluster.peer(0, 1).request(61, undefined, { timeoutMs: 300_000 });
    const failed = expect(call).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await cluster.advance(299_999);
    expect(cluster.nodes[0]!.grid.stats().peers[0]).toMatchObject({ outgoing: 1 });
    await cluster.advance(1);
    await failed;
    expect(downs).toBe(0);
  });

  test.each(['memory', 'loopback'] as const)('over %s the fake timers of a test are its app’s alone', async (wire) => {
    @Controller()
    class Slow extends Echo {
      @MessagePattern(62)
      async inAnHour(): Promise<string> {
        await new Promise((resolve) => setTimeout(resolve, 3_600_000));
        return 'an hour later';
      }
    }
    // what carries messages stays as it is
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask'] });
    try {
      const made = { wire, metadata: { controllers: [Slow] }, grid: { clock: new ManualClock() } };
      cluster = await GridTestingModule.create(made);
      const answer = cluster.peer(0, 1).request(62);
      expect(await cluster.peer(0, 1).request(60, 'behind it')).toBe('behind it');
      await jest.advanceTimersByTimeAsync(3_600_000);
      expect(await answer).toBe('an hour later');
      cluster.assertIdle();
      await cluster.close();
    } finally {
      jest.useRealTimers();
    }
  });

  test('without a manual clock time cannot be moved', async () => {
    cluster = await GridTestingModule.create();
    await expect(cluster.advance(1)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
  });

  test('a call of a host to itself counts as work', async () => {
    cluster = await GridTestingModule.create({ metadata: { controllers: [Echo] }, grid: { drainTimeoutMs: 10 } });
    cluster.assertIdle();
    // it is cut by the end of the cluster
    void handled(cluster.peer(0, 0).request(61));
    const self = (): object => cluster!.nodes[0]!.grid.stats().self;
    expect(self()).toMatchObject({ outgoing: 1 });
    const busy = 'itself: 1 outgoing calls, 1 incoming calls, 1 handlers';
    await until(() => busyText().endsWith(busy), 'the handler runs');
  });

  test.each(['memory', 'loopback'] as const)('connected() over %s knows of a loss that just happened', async (wire) => {
    cluster = await GridTestingModule.create({ wire, metadata: { controllers: [Echo] } });
    for (let round = 0; round < 5; round++) {
      cluster.wire(0, 1).cut();
      await cluster.connected();
      expect(await cluster.peer(0, 1).request(60, round)).toBe(round);
      expect(await cluster.peer(1, 0).request(60, round)).toBe(round);
    }
  });

  class AppModule {}
  test.each<[string, unknown, string]>([
    ['a name that is none', { controllers: [] }, 'GridTestingModule.create: unknown option controllers; known are'],
    ['no nodes', { nodes: 0 }, 'GridTestingModule.create: nodes is 0; it must be a whole number of at least 1'],
    ['nodes as a text', { nodes: '2' }, "GridTestingModule.create: nodes is '2'"],
    ['another wire', { wire: 'tcp' }, "GridTestingModule.create: wire is 'tcp'; it must be 'memory' or 'loopback'"],
    ['a module', { metadata: AppModule }, 'metadata is the class AppModule; it must be { imports: [AppModule] }, or'],
    ['no module', { app: () => {} }, 'app gave undefined; it must give what Test.createTestingModule() does'],
  ])('what would not be heeded is refused: %s', async (_, options, message) => {
    await expect(GridTestingModule.create(options as object)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });

  test('there are no other nodes and no wire to oneself', async () => {
    cluster = await GridTestingModule.create();
    expect(() => cluster!.peer(0, 2)).toThrow('there is no node 2: the nodes are 0 to 1');
    expect(() => cluster!.wire(1, 1)).toThrow('over no wire');
  });
});

function busyText(): string {
  try {
    cluster!.assertIdle();
    return 'idle';
  } catch (error) {
    return (error as Error).message;
  }
}
