import { isObservable, map } from 'rxjs';
import { heardReadable, isAsyncIterable, STREAM, type MaybeStream } from '../calls/index.js';

/** The same result with each generator, iterable or Readable in it replaced; what an interceptor wrapped too. */
export function withPulled(result: unknown, replace: (iterable: AsyncIterable<unknown>) => unknown): unknown {
  if (isAsyncIterable(result)) return replace(result);
  if (!isObservable(result)) return result;
  return result.pipe(map((value) => (isAsyncIterable(value) ? replace(value) : value)));
}

/** Runs one step of an iterator, `next` or `return`, and sees how it ends. */
type Step = (go: () => PromiseLike<Result>) => Promise<Result>;
type Result = IteratorResult<unknown>;

/**
 * An iterable whose every step goes through `step`. It has a `return` iff the other one has: who stops it early must
 * know whether that is told to anybody.
 */
export function stepped(iterable: AsyncIterable<unknown>, step: Step): MaybeStream {
  const readable = heardReadable(iterable);
  return {
    [STREAM]: readable,
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      const iterator = iterable[Symbol.asyncIterator]();
      const next = (): Promise<IteratorResult<unknown>> => step(() => iterator.next());
      if (!iterator.return) return { next };
      const leave = async (): Promise<IteratorResult<unknown>> => {
        const result = iterator.return!();
        readable?.destroy();
        return await result;
      };
      return { next, return: () => step(leave) };
    },
  };
}
