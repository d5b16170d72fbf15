import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  BadRequestException,
  Catch,
  Controller,
  createParamDecorator,
  Inject,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { CONTEXT, Ctx, EventPattern, MessagePattern, Payload, type RequestContext } from '@nestjs/microservices';
import { GridContext, GridError, GridInput, GridStream } from 'nestjs-grid';
import { concat, EMPTY, finalize, interval, map, merge, NEVER, of, tap, throwError, type Observable } from 'rxjs';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

/** The ways to answer: each is called with the same payload and gives the same two values. */
const ANSWERS = [
  ['one value to request()', 1],
  ['an Observable to stream()', 2],
  ['a generator to stream()', 3],
  ['a generator to stream() with input', 4],
] as const;

class Broken extends Error {}

let seen: string[] = [];
beforeEach(() => {
  seen = [];
});

@Injectable()
class Guard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push('guard');
    return context.switchToRpc().getData<{ deny?: boolean }>().deny !== true;
  }
}

@Injectable()
class Watch implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.push(`interceptor of ${context.getHandler().name}`);
    return next.handle().pipe(
      tap((value) => seen.push(`interceptor sees ${typeof value === 'string' ? value : 'an iterable'}`)),
      finalize(() => seen.push('interceptor is left')),
    );
  }
}

class Checked implements PipeTransform<{ name?: string }> {
  transform(value: { name?: string }): unknown {
    seen.push('pipe');
    if (value.name === undefined) throw new BadRequestException('name is missing');
    return { ...value, name: value.name.toUpperCase() };
  }
}

const Caller = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToRpc().getContext<GridContext>().peer,
);

@Catch(Broken)
class BrokenFilter implements ExceptionFilter<Broken> {
  catch(broken: Broken, host: ArgumentsHost): Observable<unknown> {
    const { name } = host.switchToRpc().getData<{ name: string }>();
    const pattern = host.switchToRpc().getContext<GridContext>().getPattern();
    seen.push(`filter: ${broken.message}`);
    if (broken.message === 'recover') return of('recovered', `for ${name}`);
    return throwError(() => new GridError('DATA_LOSS', `${pattern} of ${name}: ${broken.message}`));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
}

interface Request {
  name: string;
  deny?: boolean;
  broken?: string;
  hang?: boolean;
}

@Controller()
@UseGuards(Guard)
@UseInterceptors(Watch)
@UseFilters(BrokenFilter)
class Pipeline {
  @MessagePattern(1)
  async value(
    @Payload(Checked) { name, broken, hang }: Request,
    @Ctx() context: GridContext,
    @Caller() caller: string,
  ): Promise<string> {
    seen.push(`handler knows its caller: ${String(caller === context.peer)}`);
    if (broken !== undefined) throw new Broken(broken);
    if (hang) await aborted(context.signal);
    return name;
  }

  @MessagePattern(2)
  observable(
    @Payload(Checked) { name, broken, hang }: Request,
    @Ctx() context: GridContext,
    @Caller() caller: string,
  ): Observable<string> {
    seen.push(`handler knows its caller: ${String(caller === context.peer)}`);
    const rest = hang ? NEVER : broken === undefined ? of('two') : throwError(() => new Broken(broken));
    return concat(of(name), rest).pipe(finalize(() => seen.push('handler is left')));
  }

  @MessagePattern(3)
  async *generator(
    @Payload(Checked) { name, broken, hang }: Request,
    @Ctx() context: GridContext,
    @Caller() caller: string,
  ): AsyncGenerator<string> {
    seen.push(`handler knows its caller: ${String(caller === context.peer)}`);
    try {
      yield name;
      if (broken !== undefined) throw new Broken(broken);
      if (hang) await aborted(context.signal);
      yield 'two';
    } finally {
      seen.push('handler is left');
    }
  }

  @GridStream(4, { inCapacity: 4 })
  async *both(
    @Payload(Checked) { name, broken, hang }: Request,
    @Ctx() context: GridContext,
    @Caller() caller: string,
    @GridInput() input: AsyncIterable<string>,
  ): AsyncGenerator<string> {
    seen.push(`handler knows its caller: ${String(caller === context.peer)}`);
    try {
      yield name;
      for await (const message of input) {
        if (broken !== undefined) throw new Broken(broken);
        if (hang) await aborted(context.signal);
        yield message;
      }
    } finally {
      seen.push('handler is left');
    }
  }
}

let pair: GridPair;
beforeAll(async () => {
  pair = await gridPair({ metadata: { controllers: [Pipeline] } });
});
afterAll(() => pair.close());

/** Calls one of the answers; all of its values. */
async function call(id: number, payload: object): Promise<string[]> {
  if (id === 1) return [await pair.peer.request<string>(1, payload)];
  const values: string[] = [];
  const stream = pair.peer.stream<string>(id, payload, id === 4 ? { input: ['two'], inCapacity: 4 } : {});
  for await (const value of stream) values.push(value);
  return values;
}

describe.each(ANSWERS)('the pipeline around %s', (_, id) => {
  test('guard, interceptor, pipe, parameters, in Nest’s order', async () => {
    expect(await call(id, { name: 'ann' })).toEqual(id === 1 ? ['ANN'] : ['ANN', 'two']);
    const [method] = [['value', 'observable', 'generator', 'both'][id - 1]];
    expect(seen.slice(0, 4)).toEqual([
      'guard',
      `interceptor of ${method}`,
      'pipe',
      ...(id < 3 ? ['handler knows its caller: true'] : ['interceptor sees an iterable']),
    ]);
    expect(seen).toContain('handler knows its caller: true');
    expect(seen).toContain('interceptor is left');
  });

  test('a guard that says no: PERMISSION_DENIED, and nothing behind it runs', async () => {
    await expect(call(id, { name: 'ann', deny: true })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      remote: true,
      notSent: false,
      message: 'Forbidden resource',
    });
    expect(seen).toEqual(['guard']);
  });

  test('a pipe that says no: INVALID_ARGUMENT with what it says, and the handler does not run', async () => {
    await expect(call(id, {})).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'name is missing',
      details: { statusCode: 400, message: 'name is missing', error: 'Bad Request' },
    });
    expect(seen).not.toContain('handler knows its caller: true');
  });

  test('a filter of the application sees the error, with payload and context, and gives another', async () => {
    await expect(call(id, { name: 'ann', broken: 'a disk' })).rejects.toMatchObject({
      code: 'DATA_LOSS',
      message: `${id} of ann: a disk`,
    });
    expect(seen.filter((line) => line.startsWith('filter'))).toEqual(['filter: a disk']);
  });

  test('cancel unsubscribes what the interceptor sees, and the handler ends', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const payload = { name: 'ann', hang: true };
    const stream = id === 1 ? undefined : pair.peer.stream<string>(id, payload, { signal, ...INPUT });
    const request = stream ? undefined : pair.peer.request(id, payload, { signal });
    const failed = expect(request ?? stream!.done).rejects.toMatchObject({ code: 'CANCELLED' });
    if (stream) expect(await stream[Symbol.asyncIterator]().next()).toEqual({ done: false, value: 'ANN' });
    await until(() => seen.includes('handler knows its caller: true'), 'the handler runs');
    if (id < 3) expect(seen).not.toContain('interceptor is left');
    controller.abort();
    await failed;
    await until(() => seen.includes('interceptor is left'), 'the interceptor is left');
    if (id > 1) await until(() => seen.includes('handler is left'), 'the handler is left');
  });
});

const INPUT = { input: merge(of('two'), NEVER), inCapacity: 4 };

describe('what a filter makes of a stream that broke', () => {
  test.each([2, 3, 4])('values in place of the error: they are its last messages (%i)', async (id) => {
    expect(await call(id, { name: 'ann', broken: 'recover' })).toEqual(['ANN', 'recovered', 'for ann']);
  });

  const filterOf = (give: (thrown: Error) => unknown): new () => ExceptionFilter => {
    @Catch()
    class Filter implements ExceptionFilter<Error> {
      catch(thrown: Error): unknown {
        return give(thrown);
      }
    }
    return Filter;
  };
  const texts: string[] = [];

  @Injectable({ scope: Scope.REQUEST })
  class PerCall {
    constructor(@Inject(CONTEXT) readonly call: RequestContext<{ name: string }>) {}
  }

  @Injectable({ scope: Scope.REQUEST })
  @Catch(Broken)
  class ScopedFilter implements ExceptionFilter {
    constructor(private readonly perCall: PerCall) {}
    catch(broken: Broken): Observable<never> {
      return throwError(() => new GridError('ABORTED', `${broken.message} for ${this.perCall.call.getData().name}`));
    }
  }

  async function* breaks(text = 'broken'): AsyncGenerator<string> {
    yield 'one';
    throw new Broken(text);
  }

  @Controller()
  class Filtered {
    @MessagePattern(11)
    @UseFilters(filterOf((thrown) => throwError(() => ({ status: 'mine', message: thrown.message }))))
    object(): AsyncIterable<string> {
      return breaks();
    }

    @MessagePattern(12)
    @UseFilters(filterOf((thrown) => (texts.push(thrown.message), EMPTY)))
    nothing(): AsyncIterable<string> {
      return breaks('for the book');
    }

    @MessagePattern(13)
    @UseFilters(filterOf(() => Promise.resolve('late')))
    promise(): AsyncIterable<string> {
      return breaks();
    }

    @MessagePattern(14)
    @UseFilters(
      filterOf(() => {
        throw new Error('the filter is broken, password 1234');
      }),
    )
    throws(): AsyncIterable<string> {
      return breaks();
    }

    @MessagePattern(15)
    @UseFilters(
      filterOf(() =>
        interval(1).pipe(
          map(String),
          finalize(() => texts.push('unsubscribed')),
        ),
      ),
    )
    endless(): AsyncIterable<string> {
      return breaks();
    }

    @MessagePattern(16)
    unfiltered(): AsyncIterable<string> {
      return breaks('password 1234');
    }

    @EventPattern('told')
    @UseFilters(filterOf((thrown) => (texts.push(`event: ${thrown.message}`), EMPTY)))
    told(@Payload() text: string): AsyncIterable<string> {
      return breaks(text);
    }
  }

  @Controller()
  class ScopedFiltered {
    constructor(readonly perCall: PerCall) {}
    @MessagePattern(20)
    @UseFilters(ScopedFilter)
    scoped(): AsyncIterable<string> {
      return breaks();
    }
  }

  let filtered: GridPair;
  beforeAll(async () => {
    const metadata = { controllers: [Filtered, ScopedFiltered], providers: [PerCall] };
    filtered = await gridPair({ metadata });
  });
  afterAll(() => filtered.close());
  beforeEach(() => void (texts.length = 0));

  async function valuesOf(id: number, payload?: unknown): Promise<[string[], unknown]> {
    const values: string[] = [];
    try {
      for await (const value of filtered.peer.stream<string>(id, payload)) values.push(value);
    } catch (error) {
      return [values, error];
    }
    return [values, undefined];
  }

  test('an object: as it is, by Nest’s custom', async () => {
    const details = { status: 'mine', message: 'broken' };
    expect(await valuesOf(11)).toEqual([['one'], expect.objectContaining({ code: 'UNKNOWN', details })]);
  });

  test('an Observable without values: the stream just ends', async () => {
    expect(await valuesOf(12)).toEqual([['one'], undefined]);
    expect(texts).toEqual(['for the book']);
  });

  test('a Promise: its value is the last message', async () => {
    expect(await valuesOf(13)).toEqual([['one', 'late'], undefined]);
  });

  test('an error of its own: INTERNAL, and the text stays here', async () => {
    filtered.log.errors.length = 0;
    const [, error] = await valuesOf(14);
    expect(error).toMatchObject({ code: 'INTERNAL', message: 'Internal server error' });
    expect(filtered.log.errors).toEqual([expect.stringContaining('password 1234')]);
  });

  test('an Observable without end: who stops reading unsubscribes it', async () => {
    let count = 0;
    for await (const value of filtered.peer.stream<string>(15)) {
      expect(value).toBe(['one', '0', '1'][count]);
      if (++count === 3) break;
    }
    await until(() => texts.includes('unsubscribed'), 'it is unsubscribed');
  });

  test('no filter: INTERNAL, logged once', async () => {
    filtered.log.errors.length = 0;
    expect(await valuesOf(16)).toEqual([['one'], expect.objectContaining({ code: 'INTERNAL' })]);
    expect(filtered.log.errors).toHaveLength(1);
  });

  test('a filter of request scope is that of the call', async () => {
    const error = { code: 'ABORTED', message: 'broken for ann' };
    expect(await valuesOf(20, { name: 'ann' })).toEqual([['one'], expect.objectContaining(error)]);
    expect(await valuesOf(20, { name: 'bob' })).toMatchObject([['one'], { message: 'broken for bob' }]);
  });

  test('of an event', async () => {
    filtered.log.errors.length = 0;
    await filtered.peer.emit('told', 'told');
    await until(() => texts.includes('event: told'), 'the filter has run');
    expect(filtered.log.errors).toEqual([]);
  });
});
