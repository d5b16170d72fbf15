import type { Readable } from 'node:stream';
import { EMPTY, isObservable, of, type Subscription } from 'rxjs';
import { heardReadable, isThenable, STREAM, type MaybeStream } from '../calls/index.js';

type Step = Promise<IteratorResult<unknown>>;

/**
 * The same generator, iterable or Readable; once it throws, what follows is what `handle` gives: an Observable's values
 * or its error, a value, or nothing. So an exception filter may end a stream by an error of its own, or by a last
 * message. Iterates once, as what it stands for does. One more promise per item is all that it costs while nothing
 * throws.
 */
export class FilteredIterable implements MaybeStream {
  private readonly readable: Readable | undefined;

  constructor(
    private readonly iterable: AsyncIterable<unknown>,
    private readonly handle: (thrown: unknown) => unknown,
  ) {
    this.readable = heardReadable(iterable);
  }

  get [STREAM](): Readable | undefined {
    return this.readable;
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    const iterator = this.iterable[Symbol.asyncIterator]();
    // who stops it early must know whether that is told to anybody
    const Filtered = iterator.return ? StoppableIterator : FilteredIterator;
    return new Filtered(iterator, this.readable, this.handle);
  }
}

class FilteredIterator implements AsyncIterator<unknown> {
  /** What is iterated from the error on. */
  protected instead: Replacement | undefined = undefined;
  /** Its consumer has gone: what begins from now on nobody would end. */
  protected left = false;

  constructor(
    protected readonly iterator: AsyncIterator<unknown>,
    protected readonly readable: Readable | undefined,
    private readonly handle: (thrown: unknown) => unknown,
  ) {}

  next(): Step {
    if (this.instead) return this.instead.next();
    try {
      const step: unknown = this.iterator.next();
      // iterators of others may answer at once
      return (isThenable(step) ? step.then(undefined, this.replace) : step) as Step;
    } catch (thrown) {
      return this.replace(thrown);
    }
  }

  private readonly replace = async (thrown: unknown): Step => {
    const given = await this.handle(thrown);
    this.instead = new Replacement(this.left ? undefined : given);
    return await this.instead.next();
  };
}

class StoppableIterator extends FilteredIterator {
  async return(): Step {
    this.left = true;
    if (this.instead) return await this.instead.return();
    const returned = this.iterator.return!();
    this.readable?.destroy();
    return await returned;
  }
}

/** What comes in place of an error; an Observable's values wait until they are asked for. */
class Replacement {
  private readonly waiting: unknown[] = [];
  private end: { readonly error?: unknown } | undefined;
  private wake: (() => void) | undefined = undefined;
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
