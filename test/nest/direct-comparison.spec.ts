import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  Catch,
  Controller,
  NotFoundException,
  UseFilters,
  UseGuards,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type INestApplication,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { GridError, type GridContext, type GridPeer } from 'nestjs-grid';
import { from, mergeMap, of, throwError, timer, type Observable } from 'rxjs';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

class Allow implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Catch(RpcException)
class GivesAnError implements ExceptionFilter {
  catch(thrown: RpcException, host: ArgumentsHost): Observable<never> {
    const pattern = host.switchToRpc().getContext<GridContext>().getPattern().split(' ').slice(1);
    return throwError(() => ({ filtered: thrown.message, pattern }));
  }
}

@Catch(TypeError)
class GivesAValue implements ExceptionFilter {
  catch(thrown: TypeError): Observable<string> {
    return of(`in place of ${thrown.message}`);
  }
}

@Catch(RangeError)
class GivesNothing implements ExceptionFilter {
  catch(): void {}
}

@Catch(EvalError)
class Rejects implements ExceptionFilter {
  async catch(thrown: EvalError): Promise<never> {
    await Promise.resolve();
    throw new NotFoundException(`late ${thrown.message}`);
  }
}

@Catch(SyntaxError)
class Throws implements ExceptionFilter {
  catch(thrown: SyntaxError): never {
    throw new GridError('ABORTED', `again ${thrown.message}`);
  }
}

@Catch(URIError)
class GivesAGenerator implements ExceptionFilter {
  async *catch(): AsyncGenerator<string> {
    yield await Promise.resolve('generated');
    throw new TypeError('by a filter');
  }
}

const FILTERS = [GivesAnError, GivesAValue, GivesNothing, Rejects, Throws, GivesAGenerator];

const THROWN: readonly (readonly [string, () => unknown])[] = [
  ['RpcException', () => new RpcException('rpc')],
  ['RpcException of an object', () => new RpcException({ reason: 'rpc' })],
  ['HttpException', () => new NotFoundException('http')],
  ['GridError', () => new GridError('DATA_LOSS', 'grid')],
  ['Error', () => new Error('secret')],
  ['object', () => ({ message: 'secret', password: 'secret' })],
  ['text', () => 'secret'],
  ['nothing', () => undefined],
  ['TypeError', () => new TypeError('type')],
  ['RangeError', () => new RangeError('range')],
  ['EvalError', () => new EvalError('eval')],
  ['SyntaxError', () => new SyntaxError('syntax')],
  ['URIError', () => new URIError('uri')],
];

const FAILURES: readonly (readonly [string, (thrown: unknown) => unknown])[] = [
  [
    'throws',
    (thrown) => {
      throw thrown;
    },
  ],
  ['rejects', (thrown) => Promise.reject(thrown as Error)],
  ['Observable', (thrown) => throwError(() => thrown)],
  ['late Observable', (thrown) => timer(1).pipe(mergeMap(() => throwError(() => thrown)))],
  ['Promise of an Observable', (thrown) => Promise.resolve(throwError(() => thrown))],
  [
    'generator',
    async function* (thrown) {
      yield await Promise.resolve('first');
      throw thrown;
    },
  ],
  [
    'Observable of a generator',
    (thrown) =>
      of(
        (async function* (): AsyncGenerator {
          yield await Promise.reject(thrown as Error);
        })(),
      ),
  ],
  ['thenable', (thrown) => ({ then: (_done: unknown, failed: (error: unknown) => void): void => failed(thrown) })],
  [
    'thenable that throws',
    (thrown) => ({
      then: (): void => {
        throw thrown;
      },
    }),
  ],
];

const VALUES: readonly (readonly [string, () => unknown])[] = [
  ['value', () => ({ value: 1 })],
  ['undefined', () => undefined],
  ['null', () => null],
  ['array', () => [1, 2]],
  ['bytes', () => Buffer.from('bytes')],
  ['Promise', () => Promise.resolve('late')],
  ['Promise of nothing', () => Promise.resolve()],
  ['Observable', () => of('one')],
  ['Observable of three', () => from([1, 2, 3])],
  ['Observable of none', () => from([])],
  ['Promise of an Observable', () => Promise.resolve(of('late one'))],
  [
    'generator',
    async function* () {
      yield await Promise.resolve(1);
      yield 2;
    },
  ],
  ['Readable', () => Readable.from(['a', 'b'])],
  ['thenable that returns nothing', () => ({ then: (done: (value: unknown) => void): void => done('thenable') })],
  [
    'thenable that is a function',
    () => Object.assign(() => 'called', { then: (done: (value: unknown) => void): void => done('thenable') }),
  ],
];

const CASES = new Map<string, () => unknown>([
  ...VALUES.map(([name, make]) => [`gives ${name}`, make] as const),
  ...FAILURES.flatMap(([how, fail]) =>
    THROWN.map(([what, make]) => [`${how} with ${what}`, () => fail(make())] as const),
  ),
]);

/** A controller with a handler for each case, with patterns that begin with `way`. */
function casesUnder(
  way: 'direct' | 'piped',
  decorate: (controller: new () => object) => void,
  handler: (pattern: string) => MethodDecorator = MessagePattern,
): new () => object {
  class Cases {}
  for (const [name, make] of CASES) {
    const value = function (this: unknown): unknown {
      return make();
    };
    const descriptor = { value, enumerable: false, configurable: true, writable: true };
    Object.defineProperty(Cases.prototype, name, descriptor);
    handler(`${way} ${name}`)(Cases.prototype, name, descriptor);
  }
  Controller()(Cases);
  if (way === 'piped') UseGuards(Allow)(Cases);
  decorate(Cases);
  return Cases;
}

/** What the caller learns of an error. */
function told(error: unknown): unknown {
  if (!GridError.is(error)) return { noGridError: error };
  const { code, message, details, remote, notSent, reason } = error;
  return { code, message: message.replace(/(direct|piped) /, ''), details, remote, notSent, reason };
}

async function asked(peer: GridPeer, pattern: string): Promise<unknown> {
  try {
    return { value: await peer.request(pattern) };
  } catch (error) {
    return told(error);
  }
}

async function streamed(peer: GridPeer, pattern: string): Promise<unknown> {
  const values: unknown[] = [];
  try {
    for await (const value of peer.stream(pattern)) values.push(value);
    return { values };
  } catch (error) {
    return { values, error: told(error) };
  }
}

/** What is logged of an event, but for the stacks. */
async function logged(name: string, way: 'direct' | 'piped'): Promise<string[]> {
  pair.log.errors.length = 0;
  await pair.peer.emit(`${way} ${name}`);
  await until(() => pair.grid.handlers.runningEvents === 0, `${name} has ended`);
  return pair.log.errors.map((line) => line.split('\n')[0]!.replace(`event ${way} `, 'event '));
}

let pair: GridPair;

/** What each case gives when it is called that way. */
async function outcomes(ask: typeof asked, way: 'direct' | 'piped'): Promise<Record<string, unknown>> {
  const names = [...CASES.keys()];
  const told = await Promise.all(names.map((name) => ask(pair.peer, `${way} ${name}`)));
  return Object.fromEntries(names.map((name, index) => [name, told[index]]));
}

afterEach(() => pair.close());

const useAll = (controller: new () => object): void => void UseFilters(...FILTERS)(controller);
const useNone = (): void => {};

describe('a handler without enhancers gives its caller what it gives through the pipeline', () => {
  test.each<[string, (controller: new () => object) => void, ((app: INestApplication) => void) | undefined]>([
    ['no filters', useNone, undefined],
    ['filters of the class', useAll, undefined],
    ['global filters', useNone, (app) => app.useGlobalFilters(...FILTERS.map((Filter) => new Filter()))],
  ])('with %s', async (_name, decorate, prepare) => {
    const controllers = [casesUnder('direct', decorate), casesUnder('piped', decorate)];
    pair = await gridPair({ metadata: { controllers }, prepare, connect: { inheritAppConfig: true } });
    for (const ask of [asked, streamed]) {
      const [direct, piped] = await Promise.all([outcomes(ask, 'direct'), outcomes(ask, 'piped')]);
      expect(direct).toEqual(piped);
      expect(JSON.stringify(direct)).not.toContain('secret');
    }
  });
});

describe('an event handler without enhancers logs what it logs through the pipeline', () => {
  test.each([
    ['no filters', useNone],
    ['filters of the class', useAll],
  ])('with %s', async (_name, decorate) => {
    const event = (pattern: string): MethodDecorator => EventPattern(pattern) as MethodDecorator;
    const controllers = [casesUnder('direct', decorate, event), casesUnder('piped', decorate, event)];
    pair = await gridPair({ metadata: { controllers } });
    for (const name of CASES.keys()) {
      const direct = await logged(name, 'direct');
      expect({ name, logged: direct }).toEqual({ name, logged: await logged(name, 'piped') });
    }
  });
});

/** The handler of each way of one class, whose constructor and init hook put something else in its place. */
function replacing(way: 'direct' | 'piped'): new () => object {
  class Replacing {
    private readonly greeting = 'hello';

    constructor() {
      const before = this.constructed.bind(this);
      this.constructed = (payload) => `${before(payload)} by the constructor`;
    }

    @MessagePattern(`${way} constructed`)
    constructed(@Payload() payload: string): string {
      return `${this.greeting} ${payload}`;
    }

    @MessagePattern(`${way} initialized`)
    initialized(@Ctx() context: GridContext, @Payload() payload: string): string {
      return `${this.greeting} ${payload} ${context.handlerId}`;
    }

    @MessagePattern(`${way} late`)
    late(@Payload() payload: string): string {
      return `${this.greeting} ${payload}`;
    }

    onModuleInit(): void {
      this.initialized = (_context, payload) => `${payload} by the hook`;
    }
  }
  Controller()(Replacing);
  if (way === 'piped') UseGuards(Allow)(Replacing);
  return Replacing;
}

describe('the method that is called', () => {
  test('is what the instance had when its handlers were registered, and so are its filters', async () => {
    const [direct, piped] = [replacing('direct'), replacing('piped')];
    pair = await gridPair({ metadata: { controllers: [direct, piped] } });
    for (const controller of [direct, piped]) {
      const instance = pair.app.get<{ late: () => string }>(controller);
      instance.late = () => 'too late';
    }
    const answers = async (way: string): Promise<unknown[]> =>
      await Promise.all(['constructed', 'initialized', 'late'].map((name) => pair.peer.request(`${way} ${name}`, 'x')));
    expect(await answers('piped')).toEqual(['hello x by the constructor', 'x by the hook', 'hello x']);
    expect(await answers('direct')).toEqual(await answers('piped'));
  });
});
