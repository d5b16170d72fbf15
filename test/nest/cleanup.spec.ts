// What a method leaves behind is cleaned up when its caller goes: what fails there is in the log, once, whatever Nest
// has put around the method.
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Catch, Controller, UseFilters, UseInterceptors, type NestInterceptor } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { concatWith, NEVER, Observable, of, throwError } from 'rxjs';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

@Catch()
class Filter {
  catch(thrown: unknown): Observable<never> {
    return throwError(() => thrown);
  }
}
const passesOn: NestInterceptor = { intercept: (_context, next) => next.handle() };

const boom = (): never => {
  throw new Error('cannot tidy');
};

@Controller()
class Handlers {
  @MessagePattern('generator')
  async *generator(): AsyncGenerator<number> {
    try {
      for (let n = 0; ; n++) yield n;
    } finally {
      boom();
    }
  }

  @MessagePattern('readable')
  readable(): Readable {
    const destroy = (_error: Error | null, done: (error: Error) => void): void => {
      setImmediate(() => done(new Error('cannot tidy')));
    };
    const readable = new Readable({ objectMode: true, read: () => {}, destroy });
    readable.push(1);
    return readable;
  }

  @MessagePattern('observable')
  observable(): Observable<number> {
    return new Observable<number>((to) => (to.next(1), boom));
  }

  @MessagePattern('nested')
  nested(): Observable<AsyncGenerator<number>> {
    return of(this.generator()).pipe(concatWith(NEVER));
  }

  @UseInterceptors(passesOn)
  @UseFilters(Filter)
  @MessagePattern('readable inside')
  readableInside(): Readable {
    return this.readable();
  }

  @UseInterceptors(passesOn)
  @UseFilters(Filter)
  @MessagePattern('generator inside')
  generatorInside(): AsyncGenerator<number> {
    return this.generator();
  }
}

let pair: GridPair;
beforeAll(async () => {
  pair = await gridPair({ metadata: { controllers: [Handlers] } });
});
afterAll(() => pair.close());

const names = ['generator', 'readable', 'observable', 'nested', 'readable inside', 'generator inside'];

test.each(names)('%s', async (name) => {
  pair.log.errors.length = 0;
  for await (const item of pair.peer.stream<number>(name)) if (item >= 0) break;
  await until(() => pair.log.errors.length > 0, 'it is logged');
  for (let turns = 0; turns < 10; turns++) await turn();
  expect(pair.log.errors).toEqual([
    expect.stringMatching(new RegExp(`^handler ${name}: its cleanup failed: Error: cannot tidy\\n {4}at `)),
  ]);
});
