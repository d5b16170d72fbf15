import { afterEach, describe, expect, test } from '@jest/globals';
import {
  Catch,
  Controller,
  Injectable,
  Module,
  type CanActivate,
  type ExceptionFilter,
  type INestApplication,
  type OnApplicationBootstrap,
  type OnModuleInit,
  type PipeTransform,
} from '@nestjs/common';
import { APP_GUARD, LazyModuleLoader, NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  connectGrid,
  defineRequest,
  defineStream,
  Grid,
  GridError,
  GridInput,
  GridModule,
  GridRequest,
  gridMicroservice,
  gridTransport,
  GridStream,
  type GridModuleOptions,
} from 'nestjs-grid';
import { ManualClock } from 'nestjs-grid/testing';
import { freeHosts, portOf } from '../ports.js';
import { turn } from '../turn.js';
import { createApp, LogBook, rootModule, SECRET, startApp, type TestAppOptions } from './test-app.js';

const apps: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** Starts an app with these controllers; gives the error of its start. */
async function startError(options: TestAppOptions): Promise<unknown> {
  const [local] = (await freeHosts(1)) as [string];
  try {
    const { app } = await createApp(local, [local], options);
    apps.push(app);
    await app.listen(portOf(local), '127.0.0.1');
  } catch (error) {
    return error;
  }
  throw new Error('the app started');
}

async function startErrorOf(...controllers: (new () => object)[]): Promise<unknown> {
  return startError({ metadata: { controllers } });
}

describe('options stop the start', () => {
  const hosts = ['http://a:1', 'http://b:1'];
  test.each<[string, Partial<Record<keyof GridModuleOptions | 'hostz', unknown>>, RegExp]>([
    ['local missing', { local: undefined }, /^local is undefined; is the environment variable set\?/],
    ['local not in hosts', { local: 'http://c:1' }, /^local: 'http:\/\/c:1' is not one of the hosts/],
    ['local twice', { hosts: [...hosts, 'http://a:1'] }, /stands in the list twice \(it is local\)/],
    ['no auth', { auth: undefined }, /^auth is missing/],
    [
      'secret undefined',
      { auth: { secret: undefined } },
      /^auth\.secret is undefined; is the environment variable set\?/,
    ],
    ['secret too short', { auth: { secret: 'short' } }, /^auth\.secret has 5 bytes/],
    ['unknown option', { hostz: [] }, /^unknown option hostz/],
    ['wrong limit', { limits: { messageBytes: -1 } }, /^limits\.messageBytes is -1/],
  ])('%s', async (_, change, text) => {
    const options = { local: hosts[0], hosts, auth: { secret: SECRET }, ...change } as GridModuleOptions;
    const settings = { logger: new LogBook(), abortOnError: false } as const;
    const starting = NestFactory.create({ module: class {}, imports: [GridModule.forRoot(options)] }, settings);
    const error: unknown = await starting.catch((thrown: unknown) => thrown);
    expect(GridError.is(error)).toBe(true);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(text) });
  });
});

describe('handlers stop the start', () => {
  test.each([0, 254, 255, 1.5, -1, 300])('handler ID %d', async (id) => {
    @Controller()
    class Wrong {
      @MessagePattern(id)
      method(): void {}
    }
    expect(await startErrorOf(Wrong)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `Wrong.method: handler ID ${id} must be an integer from 1 to 253`,
    });
  });

  test('the same as the id of a pattern, and for the Grid decorators', async () => {
    @Controller()
    class Wrong {
      @MessagePattern({ id: 254, subroute: 'x' })
      method(): void {}
    }
    @Controller()
    class WrongToo {
      @GridStream(0)
      method(): void {}
    }
    expect(await startErrorOf(Wrong)).toMatchObject({
      message: expect.stringContaining('Wrong.method: handler ID 254'),
    });
    expect(await startErrorOf(WrongToo)).toMatchObject({
      message: expect.stringContaining('WrongToo.method: handler ID 0'),
    });
  });

  test.each<[string, MethodDecorator, string]>([
    [
      'an unknown option',
      GridRequest(60, { concurency: 1 } as object),
      'unknown option concurency; known are subroute, grid, concurrency, queue, codec',
    ],
    ['an option of streams', GridRequest(60, { inCapacity: 1 } as object), 'unknown option inCapacity; known are'],
    ['no options', GridStream(60, 'disk1' as never), "options is 'disk1'; it must be an object"],
    ['options that are null', GridStream(60, null as never), 'options is null; it must be an object'],
    [
      'a contract that is not there yet',
      GridRequest(undefined as never),
      '@GridRequest() is given undefined; it must be a handler ID or the contract of a request; do two files import',
    ],
    ['an ID as a text', GridStream('60' as never), "@GridStream() is given '60'; it must be a handler ID or the"],
    [
      'the contract of a stream for a request',
      GridRequest.untyped(defineStream({ id: 60, name: 'walk' }) as never),
      '@GridRequest() is given walk, the contract of a stream; it must be a handler ID or the contract of a request',
    ],
    [
      'the contract of a request for a stream',
      GridStream.untyped(defineRequest({ id: 60, name: 'info' }) as never),
      '@GridStream() is given info, the contract of a request; it must be a handler ID or the contract of a stream',
    ],
    [
      'a contract in place of a pattern',
      MessagePattern(defineRequest({ id: 60, name: 'info' })),
      'info is a contract, no pattern; take @GridRequest(…)',
    ],
    [
      'a contract in place of an event',
      EventPattern(defineStream({ id: 60, name: 'walk' })) as MethodDecorator,
      'walk is a contract, no pattern; an event has none: name it by an ID or a pattern',
    ],
    ['a codec that is none', GridRequest(60, { codec: 'json' as never }), "codec of handler 60 is 'json'; it must be"],
    ['a limit of 0', MessagePattern(60, { concurrency: 0 }), 'concurrency of handler 60 is 0; it must be an integer'],
    ['a queue alone', GridRequest(60, { queue: 5 }), 'queue of handler 60 is 5; it must be given with concurrency'],
  ])('%s names the method', async (_, decorator, text) => {
    const starting = async (): Promise<unknown> => {
      @Controller()
      class Wrong {
        @decorator
        method(): void {}
      }
      return await startErrorOf(Wrong);
    };
    // what the decorator itself sees it throws
    expect(await starting().catch((thrown: unknown) => thrown)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`Wrong.method: ${text}`),
    });
  });

  test('the extras of a plain decorator may hold what is another transport’s', async () => {
    @Controller()
    class Shared {
      @MessagePattern(60, { durable: true })
      method(): string {
        return 'it runs';
      }
    }
    const [local] = (await freeHosts(1)) as [string];
    const { app, grid } = await startApp(local, [local], { metadata: { controllers: [Shared] } });
    apps.push(app);
    expect(await grid.peer(local).request(60)).toBe('it runs');
  });

  const NoInput = defineStream({ id: 60, name: 'none' });
  const NO_CAPACITY = '@GridInput() needs an inCapacity, how many messages may be under way unread: { inCapacity: 16 }';

  test.each<[string, MethodDecorator, string]>([
    ['a request', GridRequest(60), '@GridInput() is for streams, and a request has no input: take it away, or make it'],
    [
      'an event',
      EventPattern('told') as MethodDecorator,
      '@GridInput() is for streams, and an event has no input: take it away, or make it',
    ],
    ['a stream that takes none', GridStream(60), NO_CAPACITY],
    ['a stream whose contract takes none', GridStream.untyped(NoInput), NO_CAPACITY],
    ['a plain handler that takes none', MessagePattern(60), NO_CAPACITY],
  ])('@GridInput() where there is never any: %s', async (_, decorator, text) => {
    class Base {
      method(_payload: unknown, @GridInput() _input: AsyncIterable<unknown>): void {}
    }
    decorator(Base.prototype, 'method', Object.getOwnPropertyDescriptor(Base.prototype, 'method')!);
    @Controller()
    class Wrong extends Base {}
    expect(await startErrorOf(Wrong)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(`Wrong.method: ${text}`),
    });
  });

  test('a handler in a provider, which Nest leaves out, is warned of', async () => {
    class Base {
      @MessagePattern(60)
      inherited(): string {
        return 'it runs';
      }
    }
    @Controller()
    class Right extends Base {}
    @Injectable()
    class Wrong {
      @GridRequest(61)
      mine(): void {}
      @MessagePattern(62)
      plain(): void {}
      @MessagePattern(63, gridTransport('locks'))
      ofAnotherGrid(): void {}
      none(): void {}
    }
    const [local] = (await freeHosts(1)) as [string];
    const providers = [Wrong, Base, { provide: 'value', useValue: 1 }, { provide: 'made', useFactory: () => 1 }];
    const { app, grid, log } = await startApp(local, [local], { metadata: { controllers: [Right], providers } });
    apps.push(app);
    const why = 'its class is a provider, and Nest looks for handlers in controllers only';
    expect(log.warnings).toEqual(
      ['Wrong.mine', 'Wrong.plain'].map((handler) => `handler ${handler} is never called: ${why}`),
    );
    expect(await grid.peer(local).request(60)).toBe('it runs');
  });

  test('one controller in two modules', async () => {
    @Controller()
    class Twice {
      @MessagePattern(60)
      method(): void {}
    }
    const inner = (): object => {
      @Module({ controllers: [Twice] })
      class Inner {}
      return Inner;
    };
    expect(await startError({ metadata: { imports: [inner(), inner()] as never } })).toMatchObject({
      code: 'ALREADY_EXISTS',
      message: 'two handlers for 60 (Twice.method twice: is its class in two modules?)',
    });
  });

  test('two handlers of one ID: both methods are named', async () => {
    @Controller()
    class First {
      @MessagePattern(60)
      one(): void {}
    }
    @Controller()
    class Second {
      @GridRequest(60)
      two(): void {}
    }
    expect(await startErrorOf(First, Second)).toMatchObject({
      code: 'ALREADY_EXISTS',
      message: 'two handlers for 60 (First.one and Second.two)',
    });
  });

  test('two handlers of one ID and subroute, one pattern, two subclasses of one base', async () => {
    @Controller()
    class Subroutes {
      @MessagePattern({ id: 60, subroute: 'a/b' })
      one(): void {}
      @MessagePattern({ id: 60, subroute: ['a', 'b'] })
      two(): void {}
    }
    @Controller()
    class Patterns {
      @MessagePattern({ cmd: 'x', v: 1 })
      one(): void {}
      @MessagePattern({ v: 1, cmd: 'x' })
      two(): void {}
    }
    class Base {
      @MessagePattern(61)
      inherited(): void {}
    }
    @Controller()
    class Left extends Base {}
    @Controller()
    class Right extends Base {}
    expect(await startErrorOf(Subroutes)).toMatchObject({
      message: 'two handlers for 60/a/b (Subroutes.one and Subroutes.two)',
    });
    expect(await startErrorOf(Patterns)).toMatchObject({
      message: expect.stringContaining('(Patterns.one and Patterns.two)'),
    });
    expect(await startErrorOf(Left, Right)).toMatchObject({
      message: 'two handlers for 61 (Left.inherited and Right.inherited)',
    });
  });

  test('an event and a message of one ID, in either order', async () => {
    @Controller()
    class EventFirst {
      @EventPattern(60)
      event(): void {}
      @MessagePattern(60)
      message(): void {}
    }
    @Controller()
    class MessageFirst {
      @MessagePattern('x')
      message(): void {}
      @EventPattern('x')
      event(_payload: unknown): void {}
    }
    for (const [controller, names] of [
      [EventFirst, 'EventFirst.event and EventFirst.message'],
      [MessageFirst, 'MessageFirst.message and MessageFirst.event'],
    ] as const) {
      expect(await startErrorOf(controller)).toMatchObject({
        code: 'ALREADY_EXISTS',
        message: expect.stringMatching(new RegExp(`event and as a message \\(${names}\\)`)),
      });
    }
  });
});

@Controller()
class Echo {
  @MessagePattern(60)
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }
}

@Injectable()
class DenyAll implements CanActivate {
  static asked = 0;
  canActivate(): boolean {
    DenyAll.asked++;
    return false;
  }
}

describe('global enhancers ask for a decision', () => {
  const metadata = { controllers: [Echo], providers: [{ provide: APP_GUARD, useClass: DenyAll }] };

  test('without one the start fails and names them', async () => {
    expect(
      await startError({ metadata, prepare: (app) => app.useGlobalPipes(new ValidationPipeStub()) }),
    ).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/global guards \(DenyAll\), pipes \(ValidationPipeStub\).*inheritAppConfig: true/),
    });
  });

  test('inheritAppConfig: true: they count, also what is set after connectGrid', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app } = await createApp(local, [local], {
      metadata: { controllers: [Echo] },
      connect: { inheritAppConfig: true },
    });
    apps.push(app);
    app.useGlobalPipes({ transform: (value: unknown) => [value] });
    await app.listen(portOf(local), '127.0.0.1');
    expect(await app.get(Grid).peer(local).request(60, 'x')).toEqual(['x']);
  });

  test('inheritAppConfig: true with a guard of APP_GUARD: the call is denied', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { grid, app } = await startApp(local, [local], { metadata, connect: { inheritAppConfig: true } });
    apps.push(app);
    await expect(grid.peer(local).request(60, 'x')).rejects.toMatchObject({ message: 'Forbidden resource' });
  });

  test('inheritAppConfig: false: they do not count', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { grid, app } = await startApp(local, [local], { metadata, connect: { inheritAppConfig: false } });
    apps.push(app);
    DenyAll.asked = 0;
    expect(await grid.peer(local).request(60, 'x')).toBe('x');
    expect(DenyAll.asked).toBe(0);
  });

  test('a filter that is made for HTTP only is left alone where it is not inherited', async () => {
    @Catch()
    class HttpOnly implements ExceptionFilter {
      catch(): void {
        throw new Error('not for this');
      }
    }
    @Controller()
    class Fails {
      @MessagePattern(61)
      fails(): never {
        throw new GridError('NOT_FOUND', 'gone');
      }
    }
    const [local] = (await freeHosts(1)) as [string];
    const { grid, app } = await startApp(local, [local], {
      metadata: { controllers: [Fails] },
      connect: { inheritAppConfig: false },
      prepare: (made) => made.useGlobalFilters(new HttpOnly()),
    });
    apps.push(app);
    await expect(grid.peer(local).request(61)).rejects.toMatchObject({ message: 'gone' });
  });
});

class ValidationPipeStub implements PipeTransform {
  transform(value: unknown): unknown {
    return value;
  }
}

describe('when the grid starts', () => {
  test('after every init and bootstrap hook, of the root module too', async () => {
    const order: string[] = [];
    @Injectable()
    class Slow implements OnModuleInit, OnApplicationBootstrap {
      constructor(private readonly grid: Grid) {}
      async onModuleInit(): Promise<void> {
        await turn();
        order.push(`init ${this.grid.peer(this.grid.local).state}`);
      }
      async onApplicationBootstrap(): Promise<void> {
        await turn();
        order.push(`bootstrap ${this.grid.peer(this.grid.local).state}`);
      }
    }
    const [local] = (await freeHosts(1)) as [string];
    const { app, grid } = await startApp(local, [local], { metadata: { providers: [Slow] } });
    apps.push(app);
    expect(order).toEqual(['init connecting', 'bootstrap connecting']);
    expect(grid.peer(local).state).toBe('connected');
  });

  test('connectGrid after listen(): at once, and nothing is said to be missing', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const clock = new ManualClock();
    const { app, grid, log } = await startApp(local, [local], {
      metadata: { controllers: [Echo] },
      connect: false,
      grid: { clock },
    });
    apps.push(app);
    await connectGrid(app);
    clock.advance(60_000);
    expect(await grid.peer(local).request(60, 'x')).toBe('x');
    expect(log.errors).toEqual([]);
  });

  test('a module that is loaded lazily: connectGrid starts its grid at once, and the app ends it', async () => {
    const [local] = (await freeHosts(1)) as [string];
    @Module({
      imports: [GridModule.forRoot({ local, hosts: [local], auth: { secret: SECRET } })],
      controllers: [Echo],
    })
    class Late {}
    @Module({})
    class Root {}
    const app = await NestFactory.create(Root, { logger: false });
    apps.push(app);
    await app.listen(portOf(local), '127.0.0.1');
    const late = await app.get(LazyModuleLoader).load(() => Late);
    await connectGrid(app);
    const peer = late.get(Grid, { strict: false }).peer(local);
    expect(await peer.request(60, 'x')).toBe('x');
    await app.close();
    expect(peer.state).toBe('closed');
  });

  test('in an app of @nestjs/testing', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const imports = [GridModule.forRoot({ local, hosts: [local], auth: { secret: SECRET } })];
    const module = await Test.createTestingModule({ imports, controllers: [Echo] }).compile();
    const app = module.createNestApplication();
    apps.push(app);
    await connectGrid(app);
    await app.init();
    expect(await app.get(Grid).peer(local).request(60, 'x')).toBe('x');
  });

  test('init() without listen() is enough to call', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app } = await createApp(local, [local], { metadata: { controllers: [Echo] } });
    apps.push(app);
    await app.init();
    expect(await app.get(Grid).peer(local).request(60, 'x')).toBe('x');
  });

  test.each(['express', 'fastify'] as const)(
    'a second process of one name whose port is taken does not pass for it (%s)',
    async (adapter) => {
      const hosts = await freeHosts(2);
      const metadata = { controllers: [Echo] };
      const running = await Promise.all(hosts.map((host) => startApp(host, hosts, { metadata })));
      apps.push(...running.map(({ app }) => app));
      for (const { grid } of running) await grid.peers.find(({ origin }) => origin !== grid.local)!.waitForConnect();
      const [first, other] = running[0]!.grid.stats().peers[0]!.dials ? running : running.toReversed();
      const { app, log } = await createApp(first!.grid.local, hosts, { adapter });
      apps.push(app);
      await expect(app.listen(portOf(first!.grid.local), '127.0.0.1')).rejects.toThrow('EADDRINUSE');
      const twin = app.get(Grid);
      // no dial is left, and none will come
      await twin.close();
      expect(twin.peer(other!.grid.local).state).toBe('closed');
      // the other line is Nest's
      expect(log.errors).toHaveLength(2);
      expect(log.errors[0]).toMatch(/cannot listen: .*EADDRINUSE.*must not pass for http/);
      expect(await other!.grid.peer(first!.grid.local).request(60, 'x')).toBe('x');
      for (const { grid, log } of running) {
        expect(grid.stats().peers[0]).toMatchObject({ state: 'connected', reconnects: 0 });
        expect([...log.warnings, ...log.errors]).toEqual([]);
      }
    },
  );

  test('startAllMicroservices() before listen() does not start it early, nor twice', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app } = await createApp(local, [local], { metadata: { controllers: [Echo] } });
    apps.push(app);
    await app.startAllMicroservices();
    expect(app.get(Grid).peer(local).state).toBe('connecting');
    await app.listen(portOf(local), '127.0.0.1');
    await app.startAllMicroservices();
    expect(await app.get(Grid).peer(local).request(60, 'x')).toBe('x');
  });

  test('never connected: loud behind the start and at the first call, and calls fail at once', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const clock = new ManualClock();
    const { app, grid, log } = await startApp(local, [local], { connect: false, grid: { clock } });
    apps.push(app);
    clock.advance(999);
    expect(log.errors).toEqual([]);
    clock.advance(1);
    expect(log.errors).toEqual([expect.stringContaining('await connectGrid(app)')]);
    for (let calls = 0; calls < 2; calls++) {
      await expect(grid.peer(local).request(60)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        notSent: true,
        message: expect.stringContaining('connectGrid(app)'),
      });
    }
    expect(() => grid.peer(local).stream(60)).toThrow(/connectGrid/);
    expect(log.errors).toHaveLength(2);
  });

  @Injectable()
  class Early implements OnApplicationBootstrap {
    static hook: (grid: Grid) => Promise<unknown>;
    static given: unknown;
    constructor(private readonly grid: Grid) {}
    async onApplicationBootstrap(): Promise<void> {
      Early.given = await Early.hook(this.grid).catch((error: unknown) => error);
    }
  }

  test('a call in a hook of an app that is connected is told that it is too early', async () => {
    const [local] = (await freeHosts(1)) as [string];
    Early.hook = (grid) => grid.peer(local).request(60);
    const { app, log } = await startApp(local, [local], { metadata: { providers: [Early] } });
    apps.push(app);
    expect(Early.given).toMatchObject({
      code: 'UNAVAILABLE',
      notSent: true,
      peer: local,
      message:
        'call of 60 before the grid has started. The grid starts after all hooks of the app: call after app.listen()',
    });
    expect(log.errors).toEqual([(Early.given as Error).message]);
  });

  test('a call where a provider is made is told what starts the grid, not that this is missing', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const early = {
      provide: 'early',
      inject: [Grid],
      useFactory: (grid: Grid) => grid.peer(local).request(60).catch((error: unknown) => error),
    };
    const { app, log } = await startApp(local, [local], { metadata: { providers: [early] } });
    apps.push(app);
    const { message } = app.get<Error>('early');
    expect(message).toMatch(/^call of 60 before the grid has started. .* call after app.listen\(\). What starts it: /);
    expect(message).toContain("'await connectGrid(app)' before app.listen()");
    expect(message).not.toContain('is not connected');
    expect(log.errors).toEqual([message]);
  });

  const INSIDE = 'it starts after the onApplicationBootstrap hooks; do not await it in one of them';

  test('a wait for a peer in a hook is told of while it holds the start up', async () => {
    const hosts = await freeHosts(2);
    const clock = new ManualClock();
    const stop = new AbortController();
    const waiting = new Promise<void>((resolve) => {
      Early.hook = async (grid) => {
        const connected = grid.peers[0]!.waitForConnect({ signal: stop.signal });
        resolve();
        await connected;
      };
    });
    const { app, log } = await createApp(hosts[0]!, hosts, { metadata: { providers: [Early] }, grid: { clock } });
    apps.push(app);
    const listening = app.listen(portOf(hosts[0]!), '127.0.0.1');
    await waiting;
    clock.advance(5_000);
    expect(log.warnings).toEqual([`waitForConnect() waits for a grid that has not started: ${INSIDE}`]);
    stop.abort();
    await listening;
  });

  test('a wait in a hook of an app that is not connected is told what is missing', async () => {
    const hosts = await freeHosts(2);
    Early.hook = (grid) => grid.peers[0]!.waitForConnect({ timeoutMs: 1 });
    const { app } = await createApp(hosts[0]!, hosts, { metadata: { providers: [Early] }, connect: false });
    apps.push(app);
    await app.init();
    expect(Early.given).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: expect.stringMatching(/within 1 ms: waitForConnect\(\) waits .* starts it: 'await connectGrid\(app\)'/),
    });
  });

  test('an end while it waits for peers is no error', async () => {
    const hosts = await freeHosts(2);
    const { app, log } = await startApp(hosts[0]!, hosts, { grid: { waitForPeers: true } });
    await app.close();
    await turn();
    expect(log.errors).toEqual([]);
  });

  test('the option listen is not for it', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app, log } = await startApp(local, [local], { grid: { listen: { port: 0 } } });
    apps.push(app);
    expect(log.warnings).toEqual([
      "the option listen is for gridMicroservice(): this grid is served by the app's own server",
    ]);
  });

  test.each<[string, unknown, string]>([
    ['a misspelled option', { inheritAppconfig: true }, 'connectGrid: unknown option inheritAppconfig; known are grid'],
    ['no object', 'locks', "connectGrid: options is 'locks'; it must be an object, {} for none; known are grid, inher"],
    ['null', null, 'connectGrid: options is null; it must be an object'],
    ['no decision', { inheritAppConfig: 'yes' }, "connectGrid: inheritAppConfig is 'yes'; it must be true or false"],
  ])('connecting with %s', async (_, options, text) => {
    const { app } = await createApp('http://a:1', ['http://a:1'], { connect: false });
    apps.push(app);
    await expect(connectGrid(app, options as object)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(text),
    });
  });

  test('connecting what is no app at all: an await was forgotten, mostly', async () => {
    const coming = NestFactory.create(class {}, { logger: new LogBook(), abortOnError: false });
    for (const [app, what] of [
      [coming, 'a Promise'],
      [undefined, 'undefined'],
    ] as const) {
      await expect(connectGrid(app as never)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: `connectGrid: app is ${what}; it must be the app itself: await NestFactory.create(AppModule)`,
      });
    }
    apps.push(await coming);
  });

  test('connecting what is no app with HTTP', async () => {
    const settings = { logger: new LogBook(), abortOnError: false } as const;
    const module = rootModule('http://a:1', ['http://a:1'], { grid: { logger: new LogBook() } });
    const context = await NestFactory.createApplicationContext(module, settings);
    const service = await NestFactory.createMicroservice(module, { ...gridMicroservice(), ...settings });
    for (const app of [context, service]) {
      await expect(connectGrid(app as unknown as INestApplication)).rejects.toMatchObject({
        code: 'FAILED_PRECONDITION',
        message: expect.stringMatching(/^connectGrid\(app\) is for an app with HTTP.*gridMicroservice\(\)/),
      });
      await app.close();
    }
  });

  test('a preview of Nest, which makes no provider, has nothing to connect', async () => {
    const local = 'http://127.0.0.1:9000';
    const module = rootModule(local, [local], {});
    const app = await NestFactory.create(module, { preview: true, logger: false, abortOnError: false });
    await connectGrid(app);
    await app.init();
    await app.close();
  });

  test('connecting twice, or what is not there', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app } = await createApp(local, [local]);
    apps.push(app);
    await expect(connectGrid(app)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/is connected already/),
    });
    await expect(connectGrid(app, { grid: 'locks' })).rejects.toMatchObject({
      message: expect.stringMatching(/named 'locks'.*has 'default'/),
    });
    const bare = await NestFactory.create(class {}, { logger: new LogBook(), abortOnError: false });
    apps.push(bare);
    await expect(connectGrid(bare)).rejects.toMatchObject({
      message: expect.stringMatching(/import GridModule\.forRoot/),
    });
  });
});
