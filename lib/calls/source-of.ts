import { isObservable } from 'rxjs';
import { PullSource } from './pull-source.js';
import { PushSource } from './push-source.js';
import { isAsyncIterable } from './result-kind.js';
import { NOWHERE, type Sink, type Source } from './source.js';

/** The source that a result or an input is, undefined for a plain value. */
export function sourceOf(result: unknown, sink: Sink): Source | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  if (isObservable(result)) return new PushSource(result, sink);
  return isAsyncIterable(result) ? PullSource.of(result, sink) : undefined;
}

/** Ends a result that nobody wants: a generator is returned, a Readable destroyed, an Observable left alone. */
export function discardResult(result: unknown, cleanupFailed: (thrown: unknown) => void): void {
  try {
    if (isAsyncIterable(result)) PullSource.of(result, { ...NOWHERE, cleanupFailed }).stop(() => {});
  } catch {
    // a result that cannot even be looked at has nothing to end
  }
}
