import { afterEach, describe, expect, test } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Module,
  type INestApplication,
  type ModuleMetadata,
  type NestApplicationOptions,
} from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import {
  ClientsModule,
  EventPattern,
  MessagePattern,
  Payload,
  Transport,
  type ClientProviderOptions,
  type ClientProxy,
} from '@nestjs/microservices';
import {
  connectGrid,
  getGridToken,
  Grid,
  GRID_TRANSPORT,
  GridClient,
  GridModule,
  gridMicroservice,
  GridRequest,
  gridTransport,
  InjectGrid,
  InjectGridClient,
  type GridOptions,
  type GridOptionsFactory,
  type GridClientDefinition,
} from 'nestjs-grid';
import { GridTracingModule } from 'nestjs-grid/otel';
import { GridMetricsModule } from 'nestjs-grid/prometheus';
import { firstValueFrom } from 'rxjs';
import { freeHosts, portOf } from '../ports.js';
import { LogBook, SECRET } from './test-app.js';

@Controller()
class Echo {
  @MessagePattern(60)
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }
}

const apps: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function make(metadata: ModuleMetadata, options: NestApplicationOptions = {}): Promise<INestApplication> {
  class AppModule {}
  Module(metadata)(AppModule);
  const app = await NestFactory.create(AppModule, { logger: new LogBook(), abortOnError: false, ...options });
  apps.push(app);
  return app;
}

async function started(metadata: ModuleMetadata, local: string): Promise<INestApplication> {
  const app = await make(metadata);
  await connectGrid(app);
  await app.listen(portOf(local), '127.0.0.1');
  return app;
}

const optionsOf = (local: string): GridOptions => ({ local, hosts: [local], auth: { secret: SECRET } });

describe('forRootAsync', () => {
  let local: string;

  @Injectable()
  class Config implements GridOptionsFactory {
    createGridOptions(): GridOptions {
      return optionsOf(local);
    }
  }

  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  test.each<[string, () => Parameters<typeof GridModule.forRootAsync>[0]]>([
    [
      'useFactory',
      () => ({
        imports: [ConfigModule],
        inject: [Config],
        useFactory: async (config: Config) => config.createGridOptions(),
      }),
    ],
    ['useClass', () => ({ useClass: Config })],
    ['useExisting', () => ({ imports: [ConfigModule], useExisting: Config })],
  ])('%s', async (_, options) => {
    [local] = (await freeHosts(1)) as [string];
    const app = await started({ imports: [GridModule.forRootAsync(options())], controllers: [Echo] }, local);
    expect(await app.get(Grid).peer(local).request(60, 'x')).toBe('x');
  });

  test('none or several of them, or another name than stands beside them', async () => {
    expect(() => GridModule.forRootAsync({})).toThrow(/exactly one of useFactory, useClass and useExisting/);
    expect(() => GridModule.forRootAsync({ useClass: Config, useExisting: Config })).toThrow(/exactly one/);
    const wrong = GridModule.forRootAsync({ useFactory: () => ({ ...optionsOf('http://a:1'), name: 'locks' }) });
    await expect(make({ imports: [wrong] })).rejects.toThrow(/name is 'locks'; with forRootAsync it must stand beside/);
  });

  test('isGlobal among what the factory gives, and a name that is no option', async () => {
    const wrong = GridModule.forRootAsync({ useFactory: () => ({ ...optionsOf('http://a:1'), isGlobal: false }) });
    await expect(make({ imports: [wrong] })).rejects.toThrow('isGlobal: with forRootAsync it must stand beside');
    const misspelled = { useFactory: () => optionsOf('http://a:1'), isglobal: false };
    expect(() => GridModule.forRootAsync(misspelled)).toThrow(
      'forRootAsync: unknown option isglobal; known are name, isGlobal, imports, inject, useFactory',
    );
  });
});

describe('what is no set of options', () => {
  class Optionless {}
  const OPTIONS = 'it must be the options of a grid: { local, hosts, auth, … }';

  test.each<[string, () => unknown, string]>([
    ['forRoot()', () => GridModule.forRoot(undefined as never), `forRoot: options is undefined; ${OPTIONS}`],
    [
      'forRootAsync()',
      () => GridModule.forRootAsync(undefined as never),
      'forRootAsync: give exactly one of useFactory, useClass and useExisting',
    ],
    [
      'forFeature of one',
      () => GridModule.forFeature({ name: 'A', peer: 'http://a:1' } as never),
      'forFeature: the clients must stand in a list: GridModule.forFeature([{ name, peer }])',
    ],
    [
      'a factory that gives none',
      () => make({ imports: [GridModule.forRootAsync({ useFactory: async () => undefined as never })] }),
      `forRootAsync: useFactory gave undefined; ${OPTIONS}`,
    ],
    [
      'a class without the method',
      () => make({ imports: [GridModule.forRootAsync({ useClass: Optionless as never })] }),
      'forRootAsync: useClass is Optionless, which has no method createGridOptions() to give the options',
    ],
  ])('%s', async (_, act, text) => {
    const trying = async (): Promise<unknown> => await act();
    const error = await trying().catch((thrown: unknown) => thrown);
    const message: unknown = expect.stringContaining(text);
    expect(error).toMatchObject({ name: 'GridError', code: 'INVALID_ARGUMENT', message });
  });
});

describe('visibility', () => {
  @Injectable()
  class User {
    constructor(@InjectGrid() readonly grid: Grid) {}
  }
  @Module({ providers: [User] })
  class Feature {}

  test('global by default, for the importing module alone with isGlobal: false', async () => {
    const options = optionsOf('http://a:1');
    const app = await make({ imports: [GridModule.forRoot(options), Feature] });
    expect(app.get(User).grid).toBe(app.get(Grid));
    await expect(make({ imports: [GridModule.forRoot({ ...options, isGlobal: false }), Feature] })).rejects.toThrow(
      /resolve/,
    );
    const local = await make({ imports: [GridModule.forRoot({ ...options, isGlobal: false })], providers: [User] });
    expect(local.get(User).grid).toBe(local.get(Grid));
  });
});

describe('clients', () => {
  @Injectable()
  class Caller {
    constructor(
      @InjectGridClient('NODE2') readonly client: GridClient,
      @Inject('LAZY') readonly lazy: ClientProxy,
    ) {}
  }

  @Injectable()
  class Listener {
    constructor(@Inject('EARLY') client: GridClient) {
      client.on('connected', () => {});
    }
  }

  @Injectable()
  class Watcher {
    readonly seen: string[] = [];

    constructor(@Inject('EARLY') readonly client: GridClient) {
      client.on('connected', () => this.seen.push('on'));
      client.status.subscribe((state) => this.seen.push(`status ${state}`));
    }
  }

  const call = (client: ClientProxy): Promise<unknown> => firstValueFrom(client.send(60, 'x'));

  const nestClient = (peer: string, grid?: string): ClientProviderOptions => ({
    name: 'EARLY',
    customClass: GridClient,
    options: { peer, grid },
  });

  test('forFeature, ClientsModule.registerAsync, plain register; all share the grid’s connections', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const app = await started(
      {
        imports: [
          GridModule.forRoot(optionsOf(local)),
          GridModule.forFeature([{ name: 'NODE2', peer: local }]),
          ClientsModule.registerAsync([
            {
              name: 'ASYNC',
              inject: [Grid],
              useFactory: (grid: Grid) => ({ customClass: GridClient, options: { grid, peer: local } }),
            },
          ]),
          ClientsModule.register([{ name: 'LAZY', customClass: GridClient, options: { peer: local } }]),
        ],
        controllers: [Echo],
        providers: [Caller],
      },
      local,
    );
    const { client, lazy } = app.get(Caller);
    for (const one of [client, lazy, app.get<ClientProxy>('ASYNC'), app.get(Grid).client(local)]) {
      await one.connect();
      expect(await call(one)).toBe('x');
      one.close();
      expect(await call(one)).toBe('x');
    }
    expect(client.unwrap()).toBe(app.get(Grid).peer(local));
  });

  test.each([
    ['ClientsModule.register', (peer: string) => ClientsModule.register([nestClient(peer)])],
    ['ClientsModule.register and a name', (peer: string) => ClientsModule.register([nestClient(peer, 'main')])],
    ['GridModule.forFeature', (peer: string) => GridModule.forFeature([{ name: 'EARLY', peer, grid: 'main' }])],
  ])('of %s: status and on() in a constructor, before there is a grid', async (_, clients) => {
    const [local] = (await freeHosts(1)) as [string];
    const imports = [clients(local), GridModule.forRootAsync({ name: 'main', useFactory: () => optionsOf(local) })];
    const app = await started({ imports, providers: [Watcher] }, local);
    expect(app.get(Watcher).seen).toEqual(['status connecting', 'on', 'status connected']);
    expect(await firstValueFrom(app.get(Watcher).client.status)).toBe('connected');
  });

  test('of ClientsModule.register: on() where several grids fit is logged', async () => {
    const options = optionsOf('http://a:1');
    const imports = [
      GridModule.forRoot({ ...options, name: 'a', route: '/a' }),
      GridModule.forRoot({ ...options, name: 'b', route: '/b' }),
      ClientsModule.register([nestClient('http://a:1')]),
    ];
    const log = new LogBook();
    class AppModule {}
    Module({ imports, providers: [Listener] })(AppModule);
    const app = await NestFactory.create(AppModule, { logger: log, abortOnError: false });
    apps.push(app);
    for (const grid of ['a', 'b']) await connectGrid(app, { grid });
    await app.init();
    expect(log.errors).toEqual([
      expect.stringMatching(/listener for connected of http:\/\/a:1: .*name one by options\.grid/),
    ]);
  });

  test('plain register: none or several grids fit', async () => {
    const client = new GridClient({ peer: 'http://a:1' });
    await expect(client.connect()).rejects.toMatchObject({
      message: expect.stringMatching(/no grid is connected in this process/),
    });
    await connectGrid(await make({ imports: [GridModule.forRoot(optionsOf('http://a:1'))] }));
    await connectGrid(await make({ imports: [GridModule.forRoot({ ...optionsOf('http://b:1'), name: 'other' })] }));
    await expect(client.connect()).rejects.toMatchObject({
      message: expect.stringMatching(/name one by options\.grid/),
    });
    const named = new GridClient({ peer: 'http://b:1', grid: 'other' });
    expect((await named.connect()).origin).toBe('http://b:1');
  });

  test('forFeature for a host that is not in the list, or without a grid: the start fails', async () => {
    const feature = GridModule.forFeature([{ name: 'X', peer: 'http://b:1' }]);
    const app = await make({ imports: [GridModule.forRoot(optionsOf('http://a:1')), feature] });
    await connectGrid(app);
    await expect(app.init()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^forFeature: client 'X': http:\/\/b:1 is not one of the hosts/),
    });
    await expect((await make({ imports: [feature] })).init()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message:
        "forFeature: client 'X': there is no grid 'default': import GridModule.forRoot({ … }) in the app's root module",
    });
    const locks = GridModule.forFeature([{ name: Symbol('L'), peer: 'http://a:1', grid: 'locks' }]);
    await expect((await make({ imports: [locks] })).init()).rejects.toThrow(
      "client Symbol(L): there is no grid 'locks': import GridModule.forRoot({ name: 'locks', … })",
    );
  });

  test.each<[string, unknown, string]>([
    ['a misspelled name', { name: 'S', host: 'http://a:1' }, "'S': unknown option host; known are name, peer, grid"],
    ['no host', { name: 'S', peer: undefined }, "'S': peer is undefined; it must be the origin of a host"],
    ['no name', { peer: 'http://a:1' }, '1: name is undefined; it must be a string or a symbol'],
    ['a grid that is none', { name: 'S', peer: 'http://a:1', grid: 5 }, "'S': grid is 5; it must be the name of a"],
    ['a text', 'http://a:1', "1: options is 'http://a:1'; it must be an object"],
    ['null', null, '1: options is null; it must be an object'],
  ])('forFeature with %s says which client it is', (_, definition, text) => {
    const definitions = [{ name: 'FIRST', peer: 'http://a:1' }, definition] as GridClientDefinition[];
    expect(() => GridModule.forFeature(definitions)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(`forFeature: client ${text}`),
      }),
    );
  });
});

describe('two grids in one process', () => {
  @Controller()
  class Both {
    @MessagePattern(60, GRID_TRANSPORT)
    data(): string {
      return 'data';
    }

    @MessagePattern(60, gridTransport('locks'))
    locks(): string {
      return 'locks';
    }

    @GridRequest(61, { grid: 'locks' })
    onlyLocks(): string {
      return 'only locks';
    }

    @MessagePattern(62)
    either(): string {
      return 'either';
    }
  }

  @Injectable()
  class User {
    constructor(
      @InjectGrid() readonly data: Grid,
      @InjectGrid('locks') readonly locks: Grid,
    ) {}
  }

  test('each has its route, its connections and its handlers', async () => {
    const hosts = await freeHosts(2);
    for (const local of hosts) {
      const options = { ...optionsOf(local), hosts };
      const app = await make({
        imports: [GridModule.forRoot(options), GridModule.forRoot({ ...options, name: 'locks', route: '/grid/locks' })],
        controllers: [Both],
        providers: [User],
      });
      await connectGrid(app);
      await connectGrid(app, { grid: 'locks' });
      await app.listen(portOf(local), '127.0.0.1');
    }
    const { data, locks } = apps[0]!.get(User);
    expect(apps[0]!.get(getGridToken('locks'))).toBe(locks);
    const [one, other] = [data.peer(hosts[1]!), locks.peer(hosts[1]!)];
    await Promise.all([one, other].map((peer) => peer.waitForConnect({ timeoutMs: 30_000 })));
    expect(await one.request(60)).toBe('data');
    expect(await other.request(60)).toBe('locks');
    expect([await one.request(62), await other.request(62)]).toEqual(['either', 'either']);
    expect(await other.request(61)).toBe('only locks');
    await expect(one.request(61)).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  });

  test('of one name: the start fails', async () => {
    const twice = [GridModule.forRoot(optionsOf('http://a:1')), GridModule.forRoot(optionsOf('http://a:1'))];
    await expect(make({ imports: twice })).rejects.toThrow(/2 grids named 'default': call GridModule\.forRoot once/);
  });

  test('with one route on one server: the start fails', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const app = await make({
      imports: [GridModule.forRoot(optionsOf(local)), GridModule.forRoot({ ...optionsOf(local), name: 'locks' })],
    });
    await connectGrid(app);
    await connectGrid(app, { grid: 'locks' });
    await expect(app.init()).rejects.toThrow(/two grids on one server have the route \/grid\/v1/);
  });
});

describe('modules that Nest tells apart by their text: moduleIdGeneratorAlgorithm deep-hash', () => {
  const deepHash = { moduleIdGeneratorAlgorithm: 'deep-hash' } as const;

  @Injectable()
  class First {
    constructor(@InjectGridClient('STORE') readonly store: GridClient) {}
  }

  @Injectable()
  class Second {
    constructor(@InjectGridClient('STORE') readonly store: GridClient) {}
  }

  test('clients of one name in two modules: each has its own host', async () => {
    const [a, b] = ['http://a:1', 'http://b:1'] as const;

    @Module({ imports: [GridModule.forFeature([{ name: 'STORE', peer: a }])], providers: [First] })
    class FirstModule {}

    @Module({ imports: [GridModule.forFeature([{ name: 'STORE', peer: b }])], providers: [Second] })
    class SecondModule {}

    const grid = GridModule.forRoot({ ...optionsOf(a), hosts: [a, b] });
    const app = await make({ imports: [grid, FirstModule, SecondModule] }, deepHash);
    expect(app.get(First, { strict: false }).store.unwrap().origin).toBe(a);
    expect(app.get(Second, { strict: false }).store.unwrap().origin).toBe(b);
  });

  test('grids of one name with other options: the start fails', async () => {
    const twice = [GridModule.forRoot(optionsOf('http://a:1')), GridModule.forRoot(optionsOf('http://b:1'))];
    await expect(make({ imports: twice }, deepHash)).rejects.toThrow(/2 grids named 'default'/);
  });

  test.each([
    ['GridTracingModule', GridTracingModule],
    ['GridMetricsModule', GridMetricsModule],
  ])('%s for each of two grids', async (_, module) => {
    const app = await make({ imports: [module.forRoot({ grid: 'a' }), module.forRoot({ grid: 'b' })] }, deepHash);
    const modules = [...app.get(ModulesContainer).values()];
    expect(modules.filter(({ metatype }) => metatype === module)).toHaveLength(2);
  });
});

describe('a handler of a grid that the app does not have', () => {
  @Controller()
  class Strays {
    @GridRequest(60)
    unnamed(): void {}

    @GridRequest(62, { grid: 'mian' })
    misspelt(): void {}

    @EventPattern(63, GRID_TRANSPORT)
    event(): void {}

    @GridRequest(64, { grid: 'main' })
    right(): void {}

    @MessagePattern(65)
    plain(): void {}

    @MessagePattern('x', Transport.TCP)
    other(): void {}
  }

  const stray = {
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining(
      "Strays.unnamed belongs to grid 'default', Strays.misspelt belongs to grid 'mian', " +
        "Strays.event belongs to grid 'default'; the app has 'main'",
    ),
  };
  const metadata: ModuleMetadata = {
    imports: [GridModule.forRoot({ ...optionsOf('http://a:1'), name: 'main', isGlobal: false })],
    controllers: [Strays],
  };

  test('stops the start of an HTTP app', async () => {
    const app = await make(metadata);
    await connectGrid(app);
    await expect(app.init()).rejects.toMatchObject(stray);
  });

  test('stops the start of a process without HTTP', async () => {
    class AppModule {}
    Module(metadata)(AppModule);
    const logger = new LogBook();
    const service = await NestFactory.createMicroservice(AppModule, { ...gridMicroservice(), logger });
    await expect(service.listen()).rejects.toMatchObject(stray);
    await service.close();
  });

  test('does not matter where no grid is started, nor where the grid is there and not connected', async () => {
    const app = await make(metadata);
    await app.init();

    @Controller()
    class OfLocks {
      @GridRequest(60, { grid: 'locks' })
      lock(): void {}
    }
    const grids = [optionsOf('http://a:1'), { ...optionsOf('http://a:1'), name: 'locks' }];
    const half = await make({ imports: grids.map((options) => GridModule.forRoot(options)), controllers: [OfLocks] });
    await connectGrid(half, { grid: 'default' });
    await half.init();
  });
});
