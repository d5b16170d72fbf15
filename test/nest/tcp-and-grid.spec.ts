import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  BadRequestException,
  Catch,
  Controller,
  Injectable,
  Module,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplicationContext,
  type NestInterceptor,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  BaseRpcContext,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
  type ClientProxy,
} from '@nestjs/microservices';
import { connectGrid, GridError, GridModule, gridMicroservice, Grid } from 'nestjs-grid';
import {
  concat,
  EMPTY,
  finalize,
  firstValueFrom,
  interval,
  map,
  of,
  range,
  take,
  throwError,
  type Observable,
} from 'rxjs';
import { freeHosts, portOf } from '../ports.js';
import { until } from '../until.js';
import { LogBook, SECRET } from './test-app.js';

/** What happened at the server, by the key that a row chose. */
const happened: string[] = [];

@Injectable()
class Guard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getData() !== 'deny';
  }
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value: unknown) => ({ wrapped: value })));
  }
}

/** The filter of Nest's own docs. */
@Catch(RpcException)
class GivesWhatItHolds implements ExceptionFilter {
  catch(error: RpcException): Observable<never> {
    return throwError(() => error.getError());
  }
}

@Catch()
class GivesTheError implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

const THROWS: Record<string, () => unknown> = {
  text: () => new RpcException('said so'),
  object: () => new RpcException({ code: 17, message: 'an object' }),
  http: () => new BadRequestException('bad'),
  foreign: () => new Error('the password is 1234'),
};

/** An app of somebody who knows nothing of the grid. */
@Controller()
class App {
  @MessagePattern('sum')
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern({ cmd: 'double', v: 2 })
  async double(@Payload('value') value: number): Promise<number> {
    return value * 2;
  }

  @MessagePattern('many')
  many(@Payload() count: number): Observable<number> {
    return range(0, count);
  }

  @MessagePattern('none')
  none(@Payload() _: unknown): Observable<never> {
    return EMPTY;
  }

  @MessagePattern('void')
  void(@Payload() _: unknown): void {}

  @MessagePattern('nil')
  nil(@Payload() _: unknown): null {
    return null;
  }

  @MessagePattern('generator')
  async *generator(@Payload() count: number): AsyncGenerator<number> {
    for (let i = 0; i < count; i++) yield i;
  }

  @MessagePattern('echo')
  echo(@Payload() payload: unknown): unknown {
    return payload;
  }

  @MessagePattern('type')
  type(@Payload() payload: object): string {
    return payload.constructor.name;
  }

  @MessagePattern('throws')
  throws(@Payload() what: string): never {
    throw THROWS[what]!();
  }

  @MessagePattern('late')
  late(@Payload() what: string): Observable<number> {
    return concat(
      of(1, 2),
      throwError(() => THROWS[what]!()),
    );
  }

  @MessagePattern('filtered')
  @UseFilters(GivesWhatItHolds)
  filtered(@Payload() what: string): never {
    throw THROWS[what]!();
  }

  @MessagePattern('handed on')
  @UseFilters(GivesTheError)
  handedOn(@Payload() what: string): never {
    throw THROWS[what]!();
  }

  @MessagePattern(18)
  number(): string {
    return 'a number';
  }

  @MessagePattern('guarded')
  @UseGuards(Guard)
  guarded(@Payload() payload: string): string {
    return payload;
  }

  @MessagePattern('wrapped')
  @UseInterceptors(Wrap)
  wrapped(@Payload() payload: string): string {
    return payload;
  }

  @MessagePattern('piped')
  @UsePipes({ transform: (value: unknown) => (typeof value === 'number' ? value + 1 : value) })
  piped(@Payload() payload: number): number {
    return payload;
  }

  @MessagePattern('context')
  context(@Payload() _: unknown, @Ctx() context: BaseRpcContext & { getPattern(): string }): unknown {
    return [context instanceof BaseRpcContext, context.getPattern()];
  }

  @MessagePattern('logged')
  logged(@Payload() _: unknown, @Ctx() context: object): string {
    return typeof JSON.stringify({ context });
  }

  @MessagePattern('metadata')
  metadata(@Payload() _: unknown, @Ctx() context: { getMetadata(): Record<string, string> }): unknown {
    return { ...context.getMetadata() };
  }

  @MessagePattern('ticks')
  ticks(@Payload() _: unknown): Observable<number> {
    return interval(2).pipe(
      take(200),
      finalize(() => happened.push('ticks stopped')),
    );
  }

  @EventPattern('told')
  told(@Payload() name: string): void {
    happened.push(`told ${name}`);
  }

  @EventPattern('told')
  alsoTold(@Payload() name: string): void {
    happened.push(`also told ${name}`);
  }

  @EventPattern('shared')
  @UseGuards(Guard)
  shared(@Payload() payload: { name: string }): void {
    happened.push(`shared ${payload.name}`);
    payload.name = 'changed';
  }

  @EventPattern('shared')
  @UseInterceptors(Wrap)
  alsoShared(@Payload() payload: { name: string }): void {
    happened.push(`also shared ${payload.name}`);
  }

  @MessagePattern('happened')
  happened(): string[] {
    return happened.splice(0);
  }
}

interface Wire {
  readonly client: ClientProxy;
  close(): Promise<void>;
}

const quiet = { logger: false, abortOnError: false } as const;

async function overTcp(): Promise<Wire> {
  const [host] = (await freeHosts(1)) as [string];
  const tcp = { transport: Transport.TCP, options: { host: '127.0.0.1', port: portOf(host) } } as const;

  @Module({ controllers: [App] })
  class ServerModule {}
  const server = await NestFactory.createMicroservice(ServerModule, { ...tcp, ...quiet });
  await server.listen();

  @Module({ imports: [ClientsModule.register([{ name: 'APP', ...tcp }])] })
  class ClientModule {}
  const caller = await NestFactory.create(ClientModule, quiet);
  await caller.init();
  return wireOf(caller, server);
}

async function overGrid(): Promise<Wire> {
  const hosts = await freeHosts(2);
  const [here, there] = hosts as [string, string];
  const intervals = { redialMs: 50 };
  const options = { hosts, auth: { secret: SECRET }, drainTimeoutMs: 200, intervals, logger: new LogBook() };

  @Module({ controllers: [App], imports: [GridModule.forRoot({ ...options, local: there })] })
  class ServerModule {}
  const server = await NestFactory.createMicroservice(ServerModule, { ...gridMicroservice(), ...quiet });
  await server.listen();

  const clients = GridModule.forFeature([{ name: 'APP', peer: there }]);
  @Module({ imports: [GridModule.forRoot({ ...options, local: here }), clients] })
  class ClientModule {}
  const caller = await NestFactory.create(ClientModule, quiet);
  await connectGrid(caller);
  await caller.listen(portOf(here), '127.0.0.1');
  await caller.get(Grid).peer(there).waitForConnect({ timeoutMs: 30_000 });
  return wireOf(caller, server);
}

function wireOf(caller: INestApplicationContext, server: INestApplicationContext): Wire {
  return {
    client: caller.get<ClientProxy>('APP'),
    close: async () => void (await Promise.all([caller.close(), server.close()])),
  };
}

/** All that an Observable gives: its values, and `{ error }` if that is its end. */
function outcome(values: Observable<unknown>): Promise<unknown[]> {
  return new Promise((resolve) => {
    const seen: unknown[] = [];
    values.subscribe({
      next: (value) => seen.push(value),
      error: (error: unknown) => resolve([...seen, { error }]),
      complete: () => resolve(seen),
    });
  });
}

const sent =
  (pattern: unknown, data: unknown) =>
  ({ client }: Wire): Promise<unknown[]> =>
    outcome(client.send(pattern, data));

const gridError = (code: string, message: string): unknown =>
  expect.objectContaining({ constructor: GridError, code, message, remote: true });

interface Same {
  readonly name: string;
  readonly act: (wire: Wire) => Promise<unknown>;
  readonly gives: unknown;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const TEXTS = { a: [1, { b: null }], c: 'ä€😀' };
const SAID = { error: { status: 'error', message: 'said so' } };

const SAME: Same[] = [
  { name: 'a text as pattern, a value as answer', act: sent('sum', [1, 2, 3]), gives: [6] },
  { name: 'an object as pattern, its keys in any order', act: sent({ v: 2, cmd: 'double' }, { value: 4 }), gives: [8] },
  { name: 'an Observable of many', act: sent('many', 50), gives: upTo(50) },
  { name: 'objects, lists, null in them', act: sent('echo', TEXTS), gives: [TEXTS] },
  { name: 'null as the answer', act: sent('nil', 1), gives: [null] },
  { name: 'an empty text as the payload', act: sent('echo', ''), gives: [''] },
  { name: '0 as the payload', act: sent('echo', 0), gives: [0] },
  { name: 'false as the payload', act: sent('echo', false), gives: [false] },
  { name: 'RpcException of a text: a plain object', act: sent('throws', 'text'), gives: [SAID] },
  {
    name: 'RpcException of an object: that object',
    act: sent('throws', 'object'),
    gives: [{ error: { code: 17, message: 'an object' } }],
  },
  { name: 'RpcException after two values', act: sent('late', 'text'), gives: [1, 2, SAID] },
  {
    name: 'a filter that gives a text: that text',
    act: sent('filtered', 'text'),
    gives: [{ error: 'said so' }],
  },
  {
    name: 'a filter that gives an object: that object',
    act: sent('filtered', 'object'),
    gives: [{ error: { code: 17, message: 'an object' } }],
  },
  { name: 'a guard that agrees', act: sent('guarded', 'x'), gives: ['x'] },
  { name: 'an interceptor', act: sent('wrapped', 'x'), gives: [{ wrapped: 'x' }] },
  { name: 'a pipe', act: sent('piped', 1), gives: [2] },
  { name: 'the context', act: sent('context', 1), gives: [[true, 'context']] },
  { name: 'the context in a log, as JSON', act: sent('logged', 1), gives: ['string'] },
  {
    name: 'an event and the request behind it',
    act: async ({ client }) => {
      happened.length = 0;
      client.emit('told', 'ann');
      return firstValueFrom(client.send('happened', 1));
    },
    gives: ['told ann', 'also told ann'],
  },
  {
    name: 'send() is cold, and calls for each subscription',
    act: async ({ client }) => {
      const call = client.send('sum', [1]);
      return [await firstValueFrom(call), await firstValueFrom(call)];
    },
    gives: [1, 1],
  },
  {
    name: 'each of several calls gets its own answer',
    act: (wire) => Promise.all([5, 1, 3].map((count) => sent('many', count)(wire))),
    gives: [upTo(5), upTo(1), upTo(3)],
  },
  { name: 'take(2) of many', act: ({ client }) => outcome(client.send('many', 50).pipe(take(2))), gives: [0, 1] },
  {
    name: 'emit() is hot, and all handlers of an event run',
    act: async ({ client }) => {
      happened.length = 0;
      client.emit('told', 'ann');
      await until(() => happened.length === 2, 'both handlers have run');
      return [...happened].sort();
    },
    gives: ['also told ann', 'told ann'],
  },
  {
    name: 'what a dispatch hook attaches',
    act: async ({ client }) => {
      client.setOnDispatchHook((packet) => void (packet.metadata = { traceparent: 'x' }));
      const metadata = await firstValueFrom(client.send('metadata', 1));
      client.setOnDispatchHook(() => {});
      return metadata;
    },
    gives: { traceparent: 'x' },
  },
  {
    name: 'connect() again and again',
    act: async ({ client }) => {
      await client.connect();
      await client.connect();
      return firstValueFrom(client.status);
    },
    gives: 'connected',
  },
];

interface Better {
  readonly name: string;
  readonly act: (wire: Wire) => Promise<unknown>;
  readonly tcp: unknown;
  readonly grid: unknown;
}

const REFUSED = [{ error: expect.objectContaining({ message: expect.stringMatching(/^The invalid data/) }) }];
const INTERNAL = [{ error: { status: 'error', message: 'Internal server error' } }];
const UNIMPLEMENTED = [{ error: expect.objectContaining({ code: 'UNIMPLEMENTED', notSent: true }) }];

const sharedEvent =
  (payload: unknown) =>
  async ({ client }: Wire): Promise<string[]> => {
    happened.length = 0;
    await outcome(client.emit('shared', payload));
    // by then its guard and its interceptor are done
    for (let call = 0; call < 5; call++) await firstValueFrom(client.send('sum', [1]));
    return happened;
  };

/** Where the grid differs on purpose; the name says why. */
const BETTER: Better[] = [
  { name: 'a call without payload is a call', act: sent('void', undefined), tcp: REFUSED, grid: [undefined] },
  { name: 'null is a value', act: sent('echo', null), tcp: REFUSED, grid: [null] },
  { name: 'no result is undefined: firstValueFrom() works', act: sent('void', 1), tcp: [], grid: [undefined] },
  { name: 'an empty Observable too', act: sent('none', 1), tcp: [], grid: [undefined] },
  { name: 'an async generator gives its values', act: sent('generator', 3), tcp: [{}], grid: [0, 1, 2] },
  { name: 'bytes are bytes', act: sent('type', Buffer.from('x')), tcp: ['Object'], grid: ['Buffer'] },
  {
    name: 'what waits in memory has a bound',
    act: async (wire) => (await sent('many', 3_000)(wire)).at(-1),
    tcp: 2_999,
    grid: { error: gridError('RESOURCE_EXHAUSTED', expect.stringContaining('outBuffer (1024)') as unknown as string) },
  },
  { name: 'a number is that number', act: sent('echo', NaN), tcp: [null], grid: [NaN] },
  { name: 'a Map is its entries', act: sent('echo', new Map([['a', 1]])), tcp: [{}], grid: [{ a: 1 }] },
  {
    name: 'a Promise in a payload is a mistake',
    act: sent('echo', { late: Promise.resolve(1) }),
    tcp: [{ late: {} }],
    grid: [{ error: expect.objectContaining({ code: 'INVALID_ARGUMENT', notSent: true }) }],
  },
  {
    name: 'a payload is that of the moment in which the call is made',
    act: ({ client }) => {
      const payload = { turn: 1 };
      const answer = firstValueFrom(client.send('echo', payload));
      payload.turn = 2;
      return answer;
    },
    tcp: { turn: 2 },
    grid: { turn: 1 },
  },
  { name: 'a number as a pattern is no text', act: sent('18', 1), tcp: ['a number'], grid: UNIMPLEMENTED },
  {
    name: 'a key of a pattern is a key, whatever its value',
    act: sent({ cmd: 'double', v: 2, more: undefined }, { value: 4 }),
    tcp: [8],
    grid: UNIMPLEMENTED,
  },
  {
    name: 'an Error that a filter hands on is mapped as one that was thrown',
    act: sent('handed on', 'foreign'),
    tcp: [{ error: {} }],
    grid: [{ error: gridError('INTERNAL', 'Internal server error') }],
  },
  {
    name: 'handlers of one event do not see what the others do to its payload',
    act: sharedEvent({ name: 'ann' }),
    tcp: ['shared ann', 'also shared changed'],
    grid: ['shared ann', 'also shared ann'],
  },
  {
    name: 'nor does one that a guard denies keep the others from running',
    act: sharedEvent('deny'),
    tcp: [],
    grid: ['also shared undefined'],
  },
  { name: 'a Date is a Date', act: sent('type', new Date(0)), tcp: ['String'], grid: ['Date'] },
  {
    name: 'who sends an event that nobody handles is told',
    act: ({ client }) => outcome(client.emit('nowhere', 1)),
    tcp: [undefined],
    grid: [{ error: expect.objectContaining({ code: 'UNIMPLEMENTED', notSent: true }) }],
  },
  {
    name: 'an HttpException has a code that a caller can act on',
    act: sent('throws', 'http'),
    tcp: INTERNAL,
    grid: [{ error: gridError('INVALID_ARGUMENT', 'bad') }],
  },
  {
    name: 'any other error is an Error with a code, and tells no more',
    act: sent('throws', 'foreign'),
    tcp: INTERNAL,
    grid: [{ error: gridError('INTERNAL', 'Internal server error') }],
  },
  {
    name: 'a guard that denies has a code',
    act: sent('guarded', 'deny'),
    tcp: [{ error: { status: 'error', message: 'Forbidden resource' } }],
    grid: [{ error: gridError('PERMISSION_DENIED', 'Forbidden resource') }],
  },
  {
    name: 'no such handler: an Error that says that nothing ran',
    act: sent('nowhere', 1),
    tcp: [{ error: expect.stringMatching(/no matching message handler/) }],
    grid: [{ error: expect.objectContaining({ code: 'UNIMPLEMENTED', notSent: true }) }],
  },
  {
    name: 'who unsubscribes stops the handler',
    act: async ({ client }) => {
      happened.length = 0;
      await firstValueFrom(client.send('ticks', 1));
      // a call and its answer later a cancel has arrived
      await firstValueFrom(client.send('sum', [1]));
      return [...happened];
    },
    tcp: [],
    grid: ['ticks stopped'],
  },
];

describe.each([
  ['TCP', overTcp],
  ['the grid', overGrid],
] as const)('one app over %s', (name, open) => {
  let wire: Wire;
  beforeAll(async () => void (wire = await open()));
  afterAll(() => wire.close());

  test.each(SAME)('$name', async ({ act, gives }) => {
    expect(await act(wire)).toEqual(gives);
  });

  test.each(BETTER)('on purpose not the same: $name', async ({ act, tcp, grid }) => {
    expect(await act(wire)).toEqual(name === 'TCP' ? tcp : grid);
  });
});
