import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  BadRequestException,
  Catch,
  ConflictException,
  Controller,
  ForbiddenException,
  HttpException,
  Inject,
  Injectable,
  IntrinsicException,
  NotFoundException,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { CONTEXT, Ctx, MessagePattern, Payload, RpcException, type RequestContext } from '@nestjs/microservices';
import { GridContext, GridError, type GridStrategy } from 'nestjs-grid';
import { lastValueFrom, map, of, throwError, toArray, type Observable } from 'rxjs';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

const seen: string[] = [];

@Injectable()
class Guard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const grid = context.switchToRpc().getContext<GridContext>();
    seen.push(`guard ${context.getType()} ${grid.getPattern()} ${context.getHandler().name}`);
    return context.switchToRpc().getData() !== 'deny';
  }
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.push('before');
    return next.handle().pipe(map((value: unknown) => (typeof value === 'string' ? `<${value}>` : value)));
  }
}

class Dto {
  constructor(readonly name: string) {}
}

@Injectable()
class ToDto implements PipeTransform {
  transform(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || !('name' in value))
      throw new BadRequestException(['name is missing']);
    return new Dto(String(value.name));
  }
}

@Catch(ConflictException)
class ConflictFilter implements ExceptionFilter<ConflictException> {
  catch(exception: ConflictException, host: ArgumentsHost): Observable<never> {
    const context = host.switchToRpc().getContext<GridContext>();
    return throwError(() => ({ status: 'conflict', message: `${context.getPattern()}: ${exception.message}` }));
  }
}

@Catch(HttpException)
class RecoveringFilter implements ExceptionFilter {
  catch(): Observable<string> {
    return of('recovered');
  }
}

const MESSAGES: Record<string, () => unknown> = {
  grid: () => new GridError('ALREADY_EXISTS', 'there already'),
  foreign: () => new Error('the password is 1234'),
  text: () => 'a text, no error',
  nothing: () => undefined,
  http: () => new NotFoundException('no such disk'),
  forbidden: () => new ForbiddenException(),
  rpc: () => new RpcException('said so'),
  rpcObject: () => new RpcException({ code: 17, message: 'an object' }),
  intrinsic: () => new IntrinsicException('not for the log'),
  null: () => null,
  relayed: () => {
    const facts = { remote: true, peer: 'http://c:1', pattern: 'orders.get' };
    return new GridError('INTERNAL', 'Internal server error', facts);
  },
  downstream: () => new GridError('UNAVAILABLE', 'remote disconnected', { notSent: true, remote: true }),
};

@Controller()
@UseGuards(Guard)
class Enhanced {
  @MessagePattern(1)
  @UseInterceptors(Wrap)
  value(@Payload() payload: string): string {
    return payload;
  }

  @MessagePattern(2)
  @UseInterceptors(Wrap)
  async *generator(): AsyncGenerator<string> {
    for (const text of ['a', 'b', 'c']) yield text;
  }

  @MessagePattern(3)
  @UsePipes(ToDto)
  dto(@Payload() payload: object): unknown {
    return [payload instanceof Dto, payload];
  }

  @MessagePattern(4)
  throws(@Payload() what: string): never {
    throw MESSAGES[what]!();
  }

  @MessagePattern(5)
  rejects(@Payload() what: string): Promise<never> {
    return Promise.reject(MESSAGES[what]!());
  }

  @MessagePattern(6)
  async *generates(@Payload() what: string): AsyncGenerator<never> {
    throw MESSAGES[what]!();
  }

  @MessagePattern(7)
  observes(@Payload() what: string): Observable<never> {
    return throwError(() => MESSAGES[what]!());
  }

  @MessagePattern(8)
  @UseFilters(ConflictFilter)
  conflict(): never {
    throw new ConflictException('twice');
  }

  @MessagePattern(9)
  @UseFilters(RecoveringFilter)
  recovers(): never {
    throw new NotFoundException();
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerCall {
  static made = 0;
  readonly number = PerCall.made++;
  constructor(@Inject(CONTEXT) readonly request: RequestContext<unknown, GridContext>) {}
}

@Controller()
class Scoped {
  constructor(private readonly perCall: PerCall) {}

  @MessagePattern(20)
  scoped(@Payload() payload: string, @Ctx() context: GridContext): unknown {
    const { request, number } = this.perCall;
    return [number, request.getData() === payload, request.getContext() === context];
  }

  @MessagePattern(21)
  fails(): never {
    throw new NotFoundException('scoped');
  }
}

let pair: GridPair;
beforeAll(async () => {
  pair = await gridPair({ metadata: { controllers: [Enhanced, Scoped], providers: [PerCall] } });
});
afterAll(() => pair.close());

describe('guards, interceptors, pipes, request scope', () => {
  test('each runs, in Nest’s order', async () => {
    seen.length = 0;
    expect(await pair.peer.request(1, 'x')).toBe('<x>');
    expect(seen).toEqual(['guard rpc 1 value', 'before']);
  });

  test('an interceptor keeps a generator a stream', async () => {
    const values: string[] = [];
    for await (const value of pair.peer.stream<string>(2)) values.push(value);
    expect(values).toEqual(['a', 'b', 'c']);
    const client = pair.caller.client(pair.peer.origin);
    expect(await lastValueFrom(client.send(2).pipe(toArray()))).toEqual(['a', 'b', 'c']);
  });

  test('a pipe changes the payload or refuses it', async () => {
    expect(await pair.peer.request(3, { name: 'n' })).toEqual([true, { name: 'n' }]);
    await expect(pair.peer.request(3, {})).rejects.toMatchObject({ remote: true, message: 'Bad Request Exception' });
  });

  test('a provider of request scope is made per call and sees the call', async () => {
    expect(await pair.peer.request(20, 'p')).toEqual([0, true, true]);
    expect(await pair.peer.request(20, 'p')).toEqual([1, true, true]);
    await expect(pair.peer.request(21)).rejects.toMatchObject({ message: 'scoped' });
  });
});

describe('what a caller gets of an error', () => {
  test('a denied guard', async () => {
    await expect(pair.peer.request(1, 'deny')).rejects.toMatchObject({ remote: true, message: 'Forbidden resource' });
  });

  test.each([4, 5, 6, 7])('the text of errors that are meant for it, from handler %i', async (handler) => {
    const texts: Record<string, string> = {
      grid: 'there already',
      http: 'no such disk',
      forbidden: 'Forbidden',
      rpc: 'said so',
      rpcObject: 'an object',
    };
    pair.log.errors.length = 0;
    for (const [what, message] of Object.entries(texts)) {
      await expect(pair.peer.request(handler, what)).rejects.toMatchObject({ remote: true, message });
    }
    expect(pair.log.errors).toEqual([]);
  });

  test.each([4, 5, 6, 7])(
    'of all others nothing; they are logged once at the handler side, handler %i',
    async (handler) => {
      for (const [what, logged] of [
        ['foreign', /: Error: the password is 1234\n.* at /s],
        ['text', /a text, no error/],
        ['nothing', /: undefined was thrown$/],
        ['null', /: null was thrown$/],
        ['relayed', /: INTERNAL \(orders\.get at http:\/\/c:1\): /],
        ['intrinsic', undefined],
      ] as const) {
        pair.log.errors.length = 0;
        const error: unknown = await pair.peer.request(handler, what).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ remote: true, message: 'Internal server error' });
        expect(JSON.stringify(error)).not.toContain('1234');
        expect(pair.log.errors).toEqual(logged ? [expect.stringMatching(logged)] : []);
      }
    },
  );

  test('an error of a call made inside the handler does not make this call look unsent', async () => {
    await expect(pair.peer.request(4, 'downstream')).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: false });
  });

  test('a filter of the application comes first', async () => {
    await expect(pair.peer.request(8)).rejects.toMatchObject({ message: '8: twice' });
    expect(await pair.peer.request(9)).toBe('recovered');
  });

  test('through ClientProxy an RpcException is the plain object of Nest’s transports', async () => {
    const client = pair.caller.client(pair.peer.origin);
    await expect(lastValueFrom(client.send(4, 'rpc'))).rejects.toEqual({ status: 'error', message: 'said so' });
  });

  test('a local call gives the code and the details too', async () => {
    await expect(pair.grid.peer(pair.grid.local).request(4, 'http')).rejects.toMatchObject({ message: 'no such disk' });
  });
});

describe('hooks around the whole call', () => {
  const store = new AsyncLocalStorage<string>();

  @Controller()
  class Hooked {
    @MessagePattern(30)
    async *generator(): AsyncGenerator<string | undefined> {
      yield store.getStore();
      await Promise.resolve();
      yield store.getStore();
    }

    @MessagePattern(31)
    value(): string | undefined {
      return store.getStore();
    }

    @MessagePattern(32)
    async late(@Ctx() { signal }: GridContext): Promise<Observable<number>> {
      await once(signal, 'abort');
      return of(1);
    }
  }

  test('Nest’s processing hooks see each call from start to end, generators included', async () => {
    const hooked = await gridPair({ metadata: { controllers: [Hooked] } });
    try {
      const [service] = hooked.app.getMicroservices();
      const server = (service as unknown as { getTransportServer(): GridStrategy }).getTransportServer();
      const spans: string[] = [];
      server.setOnProcessingStartHook((_transport, context, done) => {
        spans.push(`start ${(context as GridContext).getPattern()}`);
        void store.run('span', done);
      });
      server.setOnProcessingEndHook((_transport, context) => {
        spans.push(`end ${(context as GridContext).getPattern()} in ${store.getStore()}`);
      });
      expect(await hooked.peer.request(31)).toBe('span');
      const values: unknown[] = [];
      for await (const value of hooked.peer.stream(30)) values.push(value);
      expect(values).toEqual(['span', 'span']);
      expect(spans.splice(0)).toEqual(['start 31', 'end 31 in span', 'start 30', 'end 30 in span']);
      // what comes when the call is over is not subscribed to any more
      const left = new AbortController();
      const asked = hooked.peer.request(32, undefined, { signal: left.signal });
      await until(() => spans.length > 0, 'it runs');
      left.abort();
      await expect(asked).rejects.toMatchObject({ code: 'CANCELLED' });
      await until(() => spans.length > 1, 'it has ended');
      expect(spans).toEqual(['start 32', 'end 32 in span']);
    } finally {
      await hooked.close();
    }
  });
});
