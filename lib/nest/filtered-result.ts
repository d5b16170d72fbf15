import { EMPTY, isObservable, of, type Subscription } from 'rxjs';
import { stepped, withPulled } from './pulled-result.js';

/**
 * The same result; once a generator in it throws, what follows is what `handle` gives: an Observable's values or its
 * error, a value, or nothing. So an exception filter may end a stream by an error of its own, or by a last message.
 */
export function filtered(result: unknown, handle: (thrown: unknown) => unknown): unknown {
  return withPulled(result, (iterable) => {
    let instead: Replacement | undefined;
    return stepped(iterable, async (go, leaving) => {
      if (instead) return await (leaving ? instead.return() : instead.next());
      try {
        return await go();
      } catch (thrown) {
        // after a `return` nobody is left to be told
        if (leaving) throw thrown;
        instead = new Replacement(await handle(thrown));
        return await instead.next();
      }
    });
  });
}

/** What comes in place of an error; an Observable's values wait until they are asked for. */
class Replacement {
  private readonly waiting: unknown[] = [];
  private end: { readonly error?: unknown } | undefined;
  private wake: (() => void) | undefined;
  private readonly subscription: Subscription;

  constructor(given: unknown) {
    const values = isObservable(given) ? given : given === undefined ? EMPTY : of(given);
    this.subscription = values.subscribe({
      next: (value) => this.tell(() => this.waiting.push(value)),
      error: (error: unknown) => this.tell(() => (this.end = { error })),
      complete: () => this.tell(() => (this.end = {})),
    });
  }

  async next(): Promise<IteratorResult<unknown>> {
    while (this.waiting.length === 0 && !this.end) await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.waiting.length > 0) return { done: false, value: this.waiting.shift() };
    if (this.end && 'error' in this.end) throw this.end.error;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<unknown>> {
    this.subscription.unsubscribe();
    this.waiting.length = 0;
    this.tell(() => (this.end = {}));
    return { done: true, value: undefined };
  }

  private tell(act: () => void): void {
    act();
    this.wake?.();
  }
}
