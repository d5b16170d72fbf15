import { afterEach, describe, expect, test } from '@jest/globals';
import {
  Controller,
  createParamDecorator,
  Injectable,
  Scope,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { GridSubroute, type GridContext } from 'nestjs-grid';
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
      metadata: { controllers: [Plain, Guarded, Scoped], providers: [PerCall] },
    });
    expect(await ask('guard')).toBe('pipeline');
    expect(await ask('class guard')).toBe('pipeline');
    expect(await ask('interceptor')).toBe('pipeline!');
    expect(await ask('pipe')).toBe('pipelinex');
    expect(await ask('parameter pipe')).toBe('pipelinex');
    expect(await ask('property', { name: 'y' })).toBe('pipeline y');
    expect(await ask('custom')).toBe('pipeline http');
    expect(await ask('scoped')).toBe('pipeline true');
  });

  test.each<[string, (app: INestApplication) => void]>([
    ['guard', (app) => app.useGlobalGuards(new Allow())],
    ['pipe', (app) => app.useGlobalPipes(new Trim())],
    ['interceptor', (app) => app.useGlobalInterceptors(new Louder())],
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
