import type { AsyncResource } from 'node:async_hooks';
import { finalize, isObservable, Observable } from 'rxjs';
import { currentContext } from '../calls/index.js';
import { stepped, withPulled } from './pulled-result.js';

/**
 * The same result, which calls `end` once when it has been used up: a value at once, an Observable or an AsyncIterable
 * at its end or when its consumer stops. Generators and Observables run in the async context of this call, and so does
 * `end`.
 */
export function watched(result: unknown, end: () => void): unknown {
  const call = currentContext();
  const endInContext = (): void => call.runInAsyncScope(end);
  let handedOn = false;
  const pulled = withPulled(result, (iterable) => {
    handedOn = true;
    return watchedIterable(iterable, call, endInContext);
  });
  if (!isObservable(pulled)) {
    if (!handedOn) end();
    return pulled;
  }
  const observed = pulled.pipe(
    finalize(() => {
      // an interceptor makes one value of a generator, which is pulled from when the Observable is over
      if (!handedOn) endInContext();
    }),
  );
  return new Observable((subscriber) => call.runInAsyncScope(() => observed.subscribe(subscriber)));
}

function watchedIterable(
  iterable: AsyncIterable<unknown>,
  call: AsyncResource,
  end: () => void,
): AsyncIterable<unknown> {
  return stepped(iterable, async (go) => {
    let result: IteratorResult<unknown> | undefined;
    try {
      result = await call.runInAsyncScope(go);
      return result;
    } finally {
      if (result === undefined || result.done) end();
    }
  });
}
