import { afterEach, describe, expect, test } from '@jest/globals';
import {
  Catch,
  Controller,
  createParamDecorator,
  Injectable,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, ApplicationConfig } from '@nestjs/core';
import {
  BaseRpcExceptionFilter,
  Ctx,
  MessagePattern,
  Payload,
  RpcException,
  type NestMicroservice,
} from '@nestjs/microservices';
import { GridSubroute, type GridContext, type GridStrategy } from 'nestjs-grid';
import { map, type Observable } from 'rxjs';
import { gridPair, type GridPair } from './grid-pair.js';

class Allow implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

class Louder implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value) => `${String(value)}!`));
  }
}

class Trim implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'string' ? value.trim() : value;
  }
}

const Peer = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  context.switchToRpc().getContext<GridContext>().peer.slice(0, 4),
);

/** Whether Nest's pipeline stands between the grid and the method that asks. */
function way(): 'direct' | 'pipeline' {
  return (new Error().stack ?? '').includes('rpc-context-creator') ? 'pipeline' : 'direct';
}

@Controller()
class Plain {
  private readonly name = 'plain';

  @MessagePattern('bare')
  bare(payload: string, ...others: unknown[]): string {
    return `${way()} ${this.name} ${payload} ${others.length}`;
  }

  @MessagePattern('payload')
  payload(@Payload() payload: string): string {
    return `${way()} ${payload}`;
  }

  @MessagePattern('both')
  both(@Ctx() context: GridContext, @Payload() payload: string): string {
    return `${way()} ${context.getPattern()} ${payload}`;
  }

  @MessagePattern('second')
  second(nothing: unknown, @Payload() payload: string): string {
    return `${way()} ${String(nothing)} ${payload}`;
  }

  @MessagePattern('throws')
  throws(): string {
    throw new RpcException(`${way()} thrown`);
  }

  @MessagePattern('rejects')
  async rejects(): Promise<string> {
    const how = way();
    await Promise.resolve();
    throw new RpcException(`${how} rejected`);
  }

  @UseGuards(Allow)
  @MessagePattern('guard')
  guarded(): string {
    return way();
  }

  @UseInterceptors(Louder)
  @MessagePattern('interceptor')
  intercepted(): string {
    return way();
  }

  @UsePipes(Trim)
  @MessagePattern('pipe')
  piped(@Payload() payload: string): string {
    return `${way()}${payload}`;
  }

  @MessagePattern('parameter pipe')
  parameterPiped(@Payload(Trim) payload: string): string {
    return `${way()}${payload}`;
  }

  @MessagePattern('property')
  property(@Payload('name') name: string): string {
    return `${way()} ${name}`;
  }

  @MessagePattern('custom')
  custom(@Peer() peer: string): string {
    return `${way()} ${peer}`;
  }
}

@UseGuards(Allow)
@Controller()
class Guarded {
  @MessagePattern('class guard')
  handle(): string {
    return way();
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerCall {}

@Controller()
class Scoped {
  constructor(readonly provider: PerCall) {}

  @MessagePattern('scoped')
  handle(): string {
    return `${way()} ${this.provider instanceof PerCall}`;
  }
}
Reflect.defineMetadata('design:paramtypes', [PerCall], Scoped);

class Base {
  @MessagePattern('inherited')
  handle(): string {
    return way();
  }
}

@Controller()
class Heir extends Base {}

class Shared {
  protected readonly name: string = '';

  @MessagePattern(77)
  handle(): string {
    return `${way()} ${this.name}`;
  }
}

@GridSubroute('left')
@Controller()
class Left extends Shared {
  protected override readonly name = 'left';
}

@GridSubroute('right')
@Controller()
class Right extends Shared {
  protected override readonly name = 'right';
}

@Injectable({ scope: Scope.TRANSIENT })
class PerConsumer {}

@Controller({ scope: Scope.TRANSIENT })
class Transient {
  constructor(readonly provider: PerConsumer) {}

  @MessagePattern('transient')
  handle(): string {
    return `${way()} ${this.provider instanceof PerConsumer}`;
  }

  @UseGuards(Allow)
  @MessagePattern('transient guarded')
  guarded(): string {
    return `${way()} ${this.provider instanceof PerConsumer}`;
  }
}
Reflect.defineMetadata('design:paramtypes', [PerConsumer], Transient);

@Controller({ scope: Scope.REQUEST, durable: true })
class Durable {
  @MessagePattern('durable')
  handle(): string {
    return way();
  }
}

@Catch()
@Injectable({ scope: Scope.REQUEST })
class PerCallFilter extends BaseRpcExceptionFilter {}

@UseFilters(PerCallFilter)
@Controller()
class FilteredPerCall {
  @MessagePattern('filter per call')
  handle(): string {
    throw new RpcException(way());
  }
}

@Controller()
class Overriding extends Base {
  @MessagePattern('overridden')
  override handle(): string {
    return `${super.handle()} overridden`;
  }
}

@Controller()
class OverridingPlainly extends Guarded {
  override handle(): string {
    return 'no handler';
  }
}

/** As decorators of others do it: a function of their own, with the metadata of the method. */
const Wrapped: MethodDecorator = (_target, _key, descriptor) => {
  const method = descriptor.value as unknown as (...args: unknown[]) => unknown;
  const wrapper = function (this: unknown, ...args: unknown[]): string {
    return `wrapped ${String(method.apply(this, args))}`;
  };
  for (const key of Reflect.getMetadataKeys(method) as string[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapper);
  }
  return { ...descriptor, value: wrapper } as unknown as typeof descriptor;
};

@Controller()
class Decorated {
  @Wrapped
  @MessagePattern('wrapped')
  plain(@Payload() payload: string): string {
    return `${way()}${payload}`;
  }

  @Wrapped
  @UseGuards(Allow)
  @MessagePattern('wrapped guarded')
  guarded(@Payload() payload: string): string {
    return `${way()}${payload}`;
  }
}

/** Takes the place of the class, whose instances know the class behind it only. */
const Proxied = ((written: new () => object) => new Proxy(written, {})) as ClassDecorator;

@UseGuards(Allow)
@Controller()
@Proxied
class GuardedProxy {
  @MessagePattern('guarded proxy')
  handle(): string {
    return way();
  }
}

/** Its instances know another class by the name of their own. */
const Mixed = (other: new () => object): ClassDecorator => {
  return (written) => void Object.defineProperty(written.prototype, 'constructor', { value: other });
};

@UseGuards(Allow)
@Controller()
@Mixed(Base)
class GuardedMixed {
  @MessagePattern('guarded mixed')
  handle(): string {
    return way();
  }
}

let pair: GridPair;

afterEach(() => pair.close());

const ask = (pattern: string, payload: unknown = ' x '): Promise<unknown> => pair.peer.request(pattern, payload);

describe('the way from the grid to a method', () => {
  test('is direct where nothing stands before it, with the parameters that Nest gives', async () => {
    pair = await gridPair({ metadata: { controllers: [Plain, Heir] } });
    expect(await ask('bare')).toBe('direct plain  x  0');
    expect(await ask('payload')).toBe('direct  x ');
    expect(await ask('both')).toBe('direct both  x ');
    expect(await ask('second')).toBe('direct undefined  x ');
    expect(await ask('inherited')).toBe('direct');
    await expect(ask('throws')).rejects.toMatchObject({ code: 'UNKNOWN', message: 'direct thrown' });
    await expect(ask('rejects')).rejects.toMatchObject({ code: 'UNKNOWN', message: 'direct rejected' });
  });

  test('is the pipeline as soon as one enhancer is set, in whichever way', async () => {
    pair = await gridPair({
      metadata: { controllers: [Plain, Guarded, GuardedProxy, GuardedMixed, Scoped], providers: [PerCall] },
    });
    expect(await ask('guard')).toBe('pipeline');
    expect(await ask('class guard')).toBe('pipeline');
    expect(await ask('guarded proxy')).toBe('pipeline');
    expect(await ask('guarded mixed')).toBe('pipeline');
    expect(await ask('interceptor')).toBe('pipeline!');
    expect(await ask('pipe')).toBe('pipelinex');
    expect(await ask('parameter pipe')).toBe('pipelinex');
    expect(await ask('property', { name: 'y' })).toBe('pipeline y');
    expect(await ask('custom')).toBe('pipeline http');
    expect(await ask('scoped')).toBe('pipeline true');
  });

  test('is the pipeline for controllers and filters per call, and direct for one per consumer', async () => {
    const controllers = [Transient, Durable, FilteredPerCall];
    pair = await gridPair({ metadata: { controllers, providers: [PerConsumer, PerCallFilter] } });
    // Nest never makes a transient controller for a handler: what it calls has no providers, either way
    expect(await ask('transient guarded')).toBe('pipeline false');
    expect(await ask('transient')).toBe('direct false');
    expect(await ask('durable')).toBe('pipeline');
    await expect(ask('filter per call')).rejects.toMatchObject({ message: 'pipeline' });
  });

  test('leads to the method that overrides another, and to what a decorator made of it', async () => {
    pair = await gridPair({ metadata: { controllers: [Overriding, OverridingPlainly, Decorated] } });
    expect(await ask('overridden')).toBe('direct overridden');
    await expect(ask('class guard')).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    expect(await ask('wrapped')).toBe('wrapped direct x ');
    expect(await ask('wrapped guarded')).toBe('wrapped pipeline x ');
  });

  test.each<[string, Provider]>([
    ['APP_GUARD', { provide: APP_GUARD, useClass: Allow }],
    ['APP_PIPE', { provide: APP_PIPE, useClass: Trim }],
    ['APP_INTERCEPTOR', { provide: APP_INTERCEPTOR, useClass: Louder }],
    ['APP_GUARD per call', { provide: APP_GUARD, useClass: Allow, scope: Scope.REQUEST }],
    ['APP_FILTER per call', { provide: APP_FILTER, useClass: PerCallFilter, scope: Scope.REQUEST }],
  ])('is the pipeline for all with %s', async (_kind, provider) => {
    const metadata = { controllers: [Plain], providers: [provider] };
    pair = await gridPair({ metadata, connect: { inheritAppConfig: true } });
    expect(await ask('bare')).toMatch(/^pipeline/);
  });

  test('is direct again where the app keeps its global enhancers to itself', async () => {
    const metadata = { controllers: [Plain], providers: [{ provide: APP_GUARD, useClass: Allow }] };
    pair = await gridPair({ metadata, connect: { inheritAppConfig: false } });
    expect(await ask('bare')).toMatch(/^direct/);
  });

  test('is the pipeline for calls that come after somebody hooked into their processing', async () => {
    pair = await gridPair({ metadata: { controllers: [Plain] } });
    const asks = async (): Promise<unknown> => [await ask('bare'), await ask('payload')];
    expect(await asks()).toEqual(['direct plain  x  0', 'direct  x ']);
    const seen: unknown[] = [];
    const [service] = pair.app.getMicroservices() as NestMicroservice[];
    const strategy = service!['serverInstance'] as GridStrategy;
    strategy.setOnProcessingStartHook((_transport, context, done) => {
      seen.push((context as GridContext).getPattern());
      return done();
    });
    expect(await asks()).toEqual(['pipeline plain  x  0', 'pipeline  x ']);
    expect(seen).toEqual(['bare', 'payload']);
  });

  test.each<[string, (app: INestApplication) => void]>([
    ['guard', (app) => app.useGlobalGuards(new Allow())],
    ['pipe', (app) => app.useGlobalPipes(new Trim())],
    ['interceptor', (app) => app.useGlobalInterceptors(new Louder())],
    ['pre-request hook', (app) => app.get(ApplicationConfig).registerPreRequestHook((_context, next) => next())],
  ])('is the pipeline for all with a global %s', async (_kind, prepare) => {
    pair = await gridPair({ metadata: { controllers: [Plain] }, prepare, connect: { inheritAppConfig: true } });
    expect(await ask('bare')).toMatch(/^pipeline/);
  });

  test('of a method that two controllers inherit leads to the right one', async () => {
    pair = await gridPair({ metadata: { controllers: [Left, Right] } });
    expect(await pair.peer.subroute('left').request(77)).toBe('direct left');
    expect(await pair.peer.subroute('right').request(77)).toBe('direct right');
  });
});
