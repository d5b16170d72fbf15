import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  Catch,
  Controller,
  ForbiddenException,
  Injectable,
  Scope,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Grid, GridError, gridMicroservice, type GridPeer } from 'nestjs-grid';
import { throwError, type Observable } from 'rxjs';
import { freeHosts } from '../ports.js';
import { rootModule, startApp } from './test-app.js';

let seen: string[] = [];
let close = async (): Promise<void> => {};
beforeEach(() => void (seen = []));
afterEach(() => close());

@Injectable()
class Guard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push('guard');
    if (context.switchToRpc().getData() === 'deny') throw new ForbiddenException('not you');
    return true;
  }
}

@Injectable()
class Pipe implements PipeTransform {
  transform(value: unknown): unknown {
    seen.push('pipe');
    return `${String(value)}!`;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.push('interceptor');
    return next.handle();
  }
}

@Catch(TypeError)
class Filter implements ExceptionFilter<TypeError> {
  catch(error: TypeError): Observable<never> {
    seen.push('filter');
    return throwError(() => new GridError('ABORTED', error.message));
  }
}

@Controller()
class Handlers {
  @MessagePattern(1)
  value(@Payload() payload: string): string {
    if (payload === 'fail!') throw new TypeError('of the value');
    return payload;
  }

  @MessagePattern(2)
  async *generator(@Payload() payload: string): AsyncGenerator<string> {
    yield payload;
    if (payload === 'fail!') throw new TypeError('of the generator');
  }
}

async function all(peer: GridPeer, payload: string): Promise<string[]> {
  const values: string[] = [];
  for await (const value of peer.stream<string>(2, payload)) values.push(value);
  return values;
}

async function expectEnhanced(peer: GridPeer): Promise<void> {
  const passed = ['guard', 'interceptor', 'pipe'];
  expect(await peer.request(1, 'a')).toBe('a!');
  expect(seen.splice(0)).toEqual(passed);
  expect(await all(peer, 'a')).toEqual(['a!']);
  expect(seen.splice(0)).toEqual(passed);
  const denied = { code: 'PERMISSION_DENIED', message: 'not you' };
  await expect(peer.request(1, 'deny')).rejects.toMatchObject(denied);
  await expect(all(peer, 'deny')).rejects.toMatchObject(denied);
  expect(seen.splice(0)).toEqual(['guard', 'guard']);
  await expect(peer.request(1, 'fail')).rejects.toMatchObject({ code: 'ABORTED', message: 'of the value' });
  await expect(all(peer, 'fail')).rejects.toMatchObject({ code: 'ABORTED', message: 'of the generator' });
  expect(seen.splice(0)).toEqual([...passed, 'filter', ...passed, 'filter']);
}

const providers = (scope: Scope): object[] =>
  Object.entries({ [APP_GUARD]: Guard, [APP_PIPE]: Pipe, [APP_INTERCEPTOR]: Interceptor, [APP_FILTER]: Filter }).map(
    ([provide, useClass]) => ({ provide, useClass, scope }),
  );

describe('global guard, pipe, interceptor and filter, for single answers and streams', () => {
  test.each([
    ['DEFAULT', Scope.DEFAULT],
    ['REQUEST', Scope.REQUEST],
  ])('a hybrid app, as providers of scope %s', async (_, scope) => {
    const [local] = (await freeHosts(1)) as [string];
    const metadata = { controllers: [Handlers], providers: providers(scope) as [] };
    const { app, grid } = await startApp(local, [local], { metadata, connect: { inheritAppConfig: true } });
    close = () => app.close();
    await expectEnhanced(grid.peer(local));
  });

  test('a hybrid app, by useGlobalX', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app, grid } = await startApp(local, [local], {
      metadata: { controllers: [Handlers] },
      connect: { inheritAppConfig: true },
      prepare: (made) => {
        made.useGlobalGuards(new Guard());
        made.useGlobalPipes(new Pipe());
        made.useGlobalInterceptors(new Interceptor());
        made.useGlobalFilters(new Filter());
      },
    });
    close = () => app.close();
    await expectEnhanced(grid.peer(local));
  });

  test.each([
    ['DEFAULT', Scope.DEFAULT],
    ['REQUEST', Scope.REQUEST],
  ])('an app without HTTP, as providers of scope %s', async (_, scope) => {
    const [local] = (await freeHosts(1)) as [string];
    const module = rootModule(local, [local], {
      metadata: { controllers: [Handlers], providers: providers(scope) as [] },
    });
    const service = await NestFactory.createMicroservice(module, { ...gridMicroservice(), logger: false });
    close = () => service.close();
    await service.listen();
    await expectEnhanced(service.get(Grid).peer(local));
  });
});
