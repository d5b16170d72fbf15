import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { firstValueFrom, Observable } from 'rxjs';
import type { HandlerInterceptor } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { turn } from '../turn.js';
import { collect, failure, lineForEachTest, signalled, type GridLine } from './grid-line.js';

let line: GridLine;
/** What the hooks of a test saw, in order. */
let seen: string[];
const store = new AsyncLocalStorage<string>();

/** Tells of each start and end, and runs the handler with its name in the store. */
const named =
  (name: string): HandlerInterceptor =>
  ({ kind, context }, run) => {
    seen.push(`${name} ${kind} ${context.pattern}`);
    store.run(`${store.getStore() ?? ''}${name}`, run);
    return (error) =>
      seen.push(`${name} ${error ? `${error.code} ${(error.cause as Error | undefined)?.message}` : 'well'}`);
  };

lineForEachTest((fresh) => {
  line = fresh;
  seen = [];
});

/** What AsyncLocalStorage holds at each step of a generator, its teardown included. */
async function* steps(told: (inFinally: string | undefined) => void): AsyncGenerator<string | undefined> {
  try {
    for (;;) {
      yield store.getStore();
      await Promise.resolve();
    }
  } finally {
    told(store.getStore());
  }
}

describe('interceptors of handlers', () => {
  it('wrap each kind of call, the first one outermost, and are told how it ended', async () => {
    line.table.intercept(named('a'));
    line.table.intercept(named('b'));
    line.handle(60, () => store.getStore());
    await expect(line.caller.request(60)).resolves.toBe('ab');
    expect(seen.splice(0)).toEqual(['a request 60', 'b request 60', 'b well', 'a well']);
    await expect(collect(line.caller.stream(60))).resolves.toEqual(['ab']);
    expect(seen.splice(0)).toEqual(['a stream 60', 'b stream 60', 'b well', 'a well']);
    await expect(firstValueFrom(line.caller.send(60))).resolves.toBe('ab');
    expect(seen.splice(0)).toEqual(['a request 60', 'b request 60', 'b well', 'a well']);
    const ran = signalled<unknown>();
    line.handle(61, () => ran.resolve(store.getStore()), { kind: 'event' });
    await line.caller.emit(61);
    await expect(ran.promise).resolves.toBe('ab');
    expect(seen).toEqual(['a event 61', 'b event 61', 'b well', 'a well']);
  });

  it('are told the error that the caller gets, with what was thrown', async () => {
    line.table.intercept(named('a'));
    const broken = (): never => {
      throw new Error('broken');
    };
    line.handle(60, broken);
    line.handle(61, async () => broken(), { kind: 'event' });
    expect((await failure(line.caller.request(60))).message).toBe('Internal server error');
    expect((await failure(collect(line.caller.stream(60)))).message).toBe('Internal server error');
    await line.caller.emit(61);
    await line.pair.settle();
    expect(seen.filter((text) => !text.includes('6'))).toEqual(Array(3).fill('a INTERNAL broken'));
  });

  it('end with a stream, not with the result of the handler, and all of its steps see their context', async () => {
    line.table.intercept(named('a'));
    const torn = signalled<string | undefined>();
    line.handle(60, () => steps(torn.resolve));
    const call = line.caller.stream(60);
    const values: unknown[] = [];
    for await (const value of call) {
      expect(seen).toEqual(['a stream 60']);
      if (values.push(value) === 100) break;
    }
    expect(new Set(values)).toEqual(new Set(['a']));
    await expect(torn.promise).resolves.toBe('a');
    await line.pair.settle();
    expect(seen).toEqual(['a stream 60', 'a CANCELLED undefined']);
  });

  it('cover what an async handler gives late, and the teardown of an Observable', async () => {
    line.table.intercept(named('a'));
    const torn = signalled<string | undefined>();
    line.handle(60, async () => {
      await Promise.resolve();
      return new Observable<unknown>((subscriber) => {
        subscriber.next(store.getStore());
        return () => torn.resolve(store.getStore());
      });
    });
    const call = line.caller.stream(60);
    await expect(call[Symbol.asyncIterator]().next()).resolves.toEqual({ done: false, value: 'a' });
    call.cancel();
    await expect(torn.promise).resolves.toBe('a');
  });

  it('follow a request that becomes a stream to its end', async () => {
    line.table.intercept(named('a'));
    line.handle(60, async function* () {
      for (let i = 0; i < 3; i++) {
        yield i;
        await turn();
      }
    });
    const values: unknown[] = [];
    await line.caller.send(60).forEach((value) => {
      expect(seen).toHaveLength(1);
      values.push(value);
    });
    expect(values).toEqual([0, 1, 2]);
    await line.pair.settle();
    expect(seen).toEqual(['a request 60', 'a well']);
  });

  it('may refuse a call: the handler does not run, and the hooks around know', async () => {
    line.table.intercept(named('a'));
    line.table.intercept(() => {
      throw new GridError('UNAUTHENTICATED', 'no');
    });
    line.handle(60, () => seen.push('the handler ran'));
    expect(await failure(line.caller.request(60))).toMatchObject({ code: 'UNAUTHENTICATED', message: 'no' });
    expect((await failure(collect(line.caller.stream(60)))).code).toBe('UNAUTHENTICATED');
    expect(seen.filter((text) => !text.includes('60'))).toEqual(Array(2).fill('a UNAUTHENTICATED undefined'));
  });

  it('that do not call run fail the call; what they throw afterwards is logged', async () => {
    line.handle(60, () => 'answer');
    const remove = line.table.intercept(() => undefined);
    expect((await failure(line.caller.request(60))).code).toBe('INTERNAL');
    remove();
    line.table.intercept((_call, run) => {
      run();
      throw new Error('too late');
    });
    line.table.intercept((_call, run) => {
      run();
      return () => {
        throw new Error('at the end');
      };
    });
    await expect(line.caller.request(60)).resolves.toBe('answer');
    expect(line.logged).toEqual([expect.stringContaining('too late'), expect.stringContaining('at the end')]);
  });

  it('that call run too late do not run the handler: its call has failed, and its place is free once', async () => {
    let now = 0;
    let most = 0;
    let ran = 0;
    const run = async (): Promise<void> => {
      ran++;
      most = Math.max(most, ++now);
      await line.pair.settle();
      now--;
    };
    line.handle(60, run, { concurrency: 1, queue: 8 });
    const late: (() => void)[] = [];
    const remove = line.table.intercept((_call, go) => {
      late.push(go);
      return undefined;
    });
    expect((await failure(line.caller.request(60))).code).toBe('INTERNAL');
    expect((await failure(line.caller.request(60))).code).toBe('INTERNAL');
    remove();
    for (const go of late) go();
    expect(line.logged).toEqual(Array(2).fill(expect.stringContaining('after it had returned')));
    await Promise.all([1, 2, 3, 4].map(() => line.caller.request(60)));
    expect([ran, most]).toEqual([4, 1]);
  });

  it('are gone when they are removed', async () => {
    line.handle(60, () => store.getStore() ?? null);
    const remove = line.table.intercept(named('a'));
    remove();
    remove();
    await expect(line.caller.request(60)).resolves.toBeNull();
  });

  it('stand as often as they were added, also if one is removed twice', async () => {
    line.handle(60, () => store.getStore() ?? null);
    const hook = named('a');
    const remove = line.table.intercept(hook);
    line.table.intercept(hook);
    remove();
    remove();
    await expect(line.caller.request(60)).resolves.toBe('a');
  });
});

describe('a call that waited for its turn', () => {
  it('does not run in the async context of the one that made place', async () => {
    const release = signalled();
    const contexts: unknown[] = [];
    line.handle(
      60,
      () => {
        contexts.push(store.getStore());
        store.enterWith('of the first call');
        return release.promise;
      },
      { concurrency: 1, queue: 1 },
    );
    const answers = [line.caller.request(60)];
    await line.pair.settle();
    answers.push(line.caller.request(60));
    await line.pair.settle();
    release.resolve();
    await Promise.all(answers);
    expect(contexts).toEqual([undefined, undefined]);
  });
});
