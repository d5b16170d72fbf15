import type { AsyncResource } from 'node:async_hooks';
import { finalize, isObservable, map, Observable } from 'rxjs';
import { currentContext, heardReadable, isAsyncIterable, STREAM, type MaybeStream } from '../calls/index.js';

/**
 * The same result, which calls `end` once when it has been used up: a value at once, an Observable or an AsyncIterable
 * at its end or when its consumer stops. Generators and Observables run in the async context of this call, and so does
 * `end`.
 */
export function watched(result: unknown, end: () => void): unknown {
  const call = currentContext();
  const endInContext = (): void => call.runInAsyncScope(end);
  if (isAsyncIterable(result)) return watchedIterable(result, call, endInContext);
  if (!isObservable(result)) {
    end();
    return result;
  }
  let handedOn = false;
  const observed = result.pipe(
    map((value) => {
      if (!isAsyncIterable(value)) return value;
      handedOn = true;
      return watchedIterable(value, call, endInContext);
    }),
    finalize(() => {
      // an interceptor makes one value of a generator, which is pulled from when the Observable is over
      if (!handedOn) endInContext();
    }),
  );
  return new Observable((subscriber) => call.runInAsyncScope(() => observed.subscribe(subscriber)));
}

type Result = IteratorResult<unknown>;

/** It has a `return` iff the other one has: who stops it early must know whether that is told to anybody. */
function watchedIterable(iterable: AsyncIterable<unknown>, call: AsyncResource, end: () => void): MaybeStream {
  const readable = heardReadable(iterable);
  const step = async (go: () => PromiseLike<Result>): Promise<Result> => {
    let result: Result | undefined;
    try {
      result = await call.runInAsyncScope(go);
      return result;
    } finally {
      if (result === undefined || result.done) end();
    }
  };
  return {
    [STREAM]: readable,
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      const iterator = iterable[Symbol.asyncIterator]();
      const next = (): Promise<Result> => step(() => iterator.next());
      if (!iterator.return) return { next };
      const leave = async (): Promise<Result> => {
        const result = iterator.return!();
        readable?.destroy();
        return await result;
      };
      return { next, return: () => step(leave) };
    },
  };
}
