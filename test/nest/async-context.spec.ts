import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  Controller,
  Injectable,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { MessagePattern, type NestMicroservice } from '@nestjs/microservices';
import { Grid, type GridPeer, type GridStrategy } from 'nestjs-grid';
import { concat, defer, finalize, NEVER, Observable, of } from 'rxjs';
import { freeHosts, portOf } from '../ports.js';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';
import { createApp } from './test-app.js';

const store = new AsyncLocalStorage<string>();
const left: (string | undefined)[] = [];
afterEach(() => void (left.length = 0));

/** A value, an Observable and a generator that each tell what they find in the store; the last two do not end. */
class Tells {
  async value(): Promise<string | undefined> {
    await Promise.resolve();
    return store.getStore();
  }

  observable(): Observable<string | undefined> {
    const now = defer(() => of(store.getStore()));
    return concat(now, NEVER).pipe(finalize(() => left.push(store.getStore())));
  }

  async *generator(): AsyncGenerator<string | undefined> {
    try {
      for (;;) {
        yield store.getStore();
        await Promise.resolve();
      }
    } finally {
      left.push(store.getStore());
    }
  }
}

/** A controller of these methods at the three IDs from `first` on, decorated as a whole. */
function tells(first: number, decorate?: ClassDecorator): new () => Tells {
  class Controls extends Tells {}
  for (const [offset, name] of (['value', 'observable', 'generator'] as const).entries()) {
    const method = Tells.prototype[name];
    const own = { configurable: true, writable: true, value: (...args: []) => method(...args) };
    Object.defineProperty(Controls.prototype, name, own);
    MessagePattern(first + offset)(Controls.prototype, name, own);
  }
  decorate?.(Controls);
  Controller()(Controls);
  return Controls;
}

@Injectable()
class RunsIn implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return new Observable((subscriber) => store.run('interceptor', () => next.handle().subscribe(subscriber)));
  }
}

@Injectable()
class Enters implements CanActivate {
  canActivate(): boolean {
    store.enterWith('guard');
    return true;
  }
}

async function expectAll(peer: GridPeer, first: number, expected: string | undefined): Promise<void> {
  expect(await peer.request(first)).toBe(expected);
  for (const id of [first + 1, first + 2]) {
    left.length = 0;
    let taken = 0;
    for await (const value of peer.stream(id)) {
      expect([id, value]).toEqual([id, expected]);
      if (id === first + 1 || ++taken === 3) break;
    }
    await until(() => left.length > 0, 'the handler is left');
    expect([id, ...left]).toEqual([id, expected]);
  }
}

describe('a store of AsyncLocalStorage in the handler, at each next() and at the teardown', () => {
  let pair: GridPair;
  beforeAll(async () => {
    const controllers = [tells(10), tells(20, UseInterceptors(RunsIn)), tells(30, UseGuards(Enters))];
    pair = await gridPair({ metadata: { controllers } });
  });
  afterAll(() => pair.close());

  test('that nobody made is empty, whatever the caller holds', async () => {
    await store.run('of the caller', () => expectAll(pair.peer, 10, undefined));
  });

  test('is that of an interceptor', () => expectAll(pair.peer, 20, 'interceptor'));

  test('is that of a guard that entered one', () => expectAll(pair.peer, 30, 'guard'));

  test('of one call is not seen by the next', async () => {
    await pair.peer.request(30);
    expect(await pair.peer.request(10)).toBeUndefined();
  });

  test('is that of a preRequest hook', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app } = await createApp(local, [local], { metadata: { controllers: [tells(10)] } });
    app
      .getMicroservices()[0]!
      .registerPreRequestHook(
        (_, next) => new Observable((subscriber) => store.run('hook', () => next().subscribe(subscriber))),
      );
    try {
      await app.listen(portOf(local), '127.0.0.1');
      await expectAll(app.get(Grid).peer(local), 10, 'hook');
    } finally {
      await app.close();
    }
  });

  test('is that of a hook around the processing of calls', async () => {
    const [local] = (await freeHosts(1)) as [string];
    const { app } = await createApp(local, [local], { metadata: { controllers: [tells(10)] } });
    const server = (app.getMicroservices()[0] as NestMicroservice).getTransportServer() as GridStrategy;
    server.setOnProcessingStartHook((_transport, _context, done) => store.run('hook', done));
    try {
      await app.listen(portOf(local), '127.0.0.1');
      await expectAll(app.get(Grid).peer(local), 10, 'hook');
    } finally {
      await app.close();
    }
  });

  test('a call to the local host sees nothing of its caller’s', async () => {
    const self = pair.grid.peer(pair.grid.local);
    await store.run('of the caller', async () => {
      expect(await self.request(10)).toBeUndefined();
      for await (const value of self.stream(12)) {
        expect(value).toBeUndefined();
        break;
      }
    });
  });
});
