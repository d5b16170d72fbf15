import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  ClassSerializerInterceptor,
  Controller,
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Exclude, instanceToPlain } from 'class-transformer';
import { GridStream } from 'nestjs-grid';
import { from, map, of, tap, type Observable } from 'rxjs';
import { gridPair, type GridPair } from './grid-pair.js';

class User {
  readonly name = 'ann';
  @Exclude()
  readonly password = 'pw';
}

async function* users(): AsyncGenerator<User> {
  yield new User();
  yield new User();
}

@Injectable()
class Wrap implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

/** As Nest's `CacheInterceptor` in an app without HTTP. */
@Injectable()
class Cache implements NestInterceptor {
  private readonly kept = new Map<unknown, unknown>();

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const key = context.getHandler();
    if (this.kept.has(key)) return of(this.kept.get(key));
    return next.handle().pipe(tap((value: unknown) => this.kept.set(key, value)));
  }
}

@Controller()
class Users {
  @MessagePattern(1)
  value(): User {
    return new User();
  }

  @MessagePattern(2)
  observable(): Observable<User> {
    return from([new User(), new User()]);
  }

  @MessagePattern(3)
  generator(): AsyncGenerator<User> {
    return users();
  }

  @MessagePattern(4)
  readable(): Readable {
    return Readable.from([new User(), new User()]);
  }

  @GridStream(5)
  async *stream(): AsyncGenerator<User> {
    yield new User();
  }

  @MessagePattern(6)
  @UseInterceptors(Wrap)
  wrapped(): AsyncGenerator<User> {
    return users();
  }

  @MessagePattern(7)
  async *mapped(): AsyncGenerator<object> {
    for await (const user of users()) yield instanceToPlain(user);
  }

  @MessagePattern(8)
  @UseInterceptors(Cache)
  cachedGenerator(): AsyncGenerator<User> {
    return users();
  }

  @MessagePattern(9)
  @UseInterceptors(Cache)
  cachedReadable(): Readable {
    return Readable.from([new User(), new User()]);
  }

  @MessagePattern(10)
  @UseInterceptors(Cache)
  cachedIterable(): AsyncIterable<User> {
    return { [Symbol.asyncIterator]: users };
  }

  @EventPattern('told')
  told(_: unknown): AsyncGenerator<User> {
    return users();
  }
}

let pair: GridPair;
beforeAll(async () => {
  pair = await gridPair({
    metadata: { controllers: [Users] },
    connect: { inheritAppConfig: true },
    prepare: (app) => app.useGlobalInterceptors(new ClassSerializerInterceptor(app.get(Reflector))),
  });
});
afterAll(() => pair.close());
beforeEach(() => void (pair.log.warnings.length = 0));

async function all(id: number, { peer } = pair): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of peer.stream(id)) values.push(value);
  return values;
}

describe('a serializing interceptor', () => {
  const plain = { name: 'ann' };

  test('sees a value and each value of an Observable: no word about that', async () => {
    expect(await pair.peer.request(1)).toEqual(plain);
    expect(await all(2)).toEqual([plain, plain]);
    expect(pair.log.warnings).toEqual([]);
  });

  test.each([
    [3, 'generator'],
    [4, 'readable'],
    [5, 'stream'],
  ])('does not see what a generator or Readable gives: the log says so once (%i)', async (id, method) => {
    expect(await all(id)).toContainEqual({ name: 'ann', password: 'pw' });
    await all(id);
    const interceptors = String.raw`its interceptors \(ClassSerializerInterceptor\)`;
    expect(pair.log.warnings).toEqual([
      expect.stringMatching(`^handler Users.${method}: ${interceptors} see .* as one value, .* Give an Observable`),
    ]);
  });

  test('mapped inside the generator nothing is seen that should not be', async () => {
    expect(await all(7)).toEqual([plain, plain]);
  });

  test('an event gives nobody anything', async () => {
    await pair.peer.emit('told');
    expect(pair.log.warnings).toEqual([]);
  });
});

describe('without it', () => {
  let bare: GridPair;
  beforeAll(async () => {
    bare = await gridPair({ metadata: { controllers: [Users] } });
  });
  afterAll(() => bare.close());

  async function first(id: number): Promise<unknown> {
    for await (const value of bare.peer.stream(id)) return value;
    return undefined;
  }

  test('an interceptor that puts the generator into an object', async () => {
    // the default codec refuses it, others write {}
    for (let i = 0; i < 2; i++) await expect(first(6)).rejects.toThrow('Internal server error');
    expect(bare.log.errors.splice(0)[0]).toContain('an async iterable inside of a value');
    expect(bare.log.warnings.splice(0)).toEqual([
      expect.stringMatching(/^handler Users.wrapped: its interceptors \(Wrap\) see .* has put it into an object/),
    ]);
  });

  test.each([
    ['a generator', 8],
    ['a Readable', 9],
  ])('an interceptor that keeps %s for the next call, which would get no value', async (_, id) => {
    expect(await all(id, bare)).toHaveLength(2);
    bare.log.warnings.length = 0;
    for (let i = 0; i < 2; i++) await expect(all(id, bare)).rejects.toThrow('Internal server error');
    for (const line of bare.log.errors.splice(0)) {
      expect(line).toContain('one of its interceptors (Cache) gives again what an earlier call had');
    }
  });

  test('what can be read again may be kept', async () => {
    for (let i = 0; i < 2; i++) expect(await all(10, bare)).toHaveLength(2);
    expect(bare.log.errors).toEqual([]);
    bare.log.warnings.length = 0;
  });

  test('where there is no interceptor there is nothing to say', async () => {
    expect(await first(3)).toEqual({ name: 'ann', password: 'pw' });
    expect(bare.log.warnings).toEqual([]);
  });
});
