import type { Readable } from 'node:stream';
import { currentContext } from './async-context.js';
import { heardReadable } from './heard-readable.js';
import { isThenable } from './result-kind.js';
import type { Sink, Source } from './source.js';

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>;

const askNext = (iterator: AnyIterator): unknown => iterator.next();
/** undefined: it has no `return`. */
const askReturn = (iterator: AnyIterator): Promise<unknown> | undefined => {
  const end: unknown = iterator.return;
  return typeof end === 'function' ? Promise.resolve(Reflect.apply(end, iterator, [])) : undefined;
};

const nobody = (): void => {};

/** An async generator, iterable or Readable: one value is asked for each time the sink is ready, never two at once. */
export class PullSource implements Source {
  /** While `next()` itself runs it is `asking`: a generator cannot be returned from inside of its own code. */
  private state: 'idle' | 'asking' | 'pulling' | 'over' = 'idle';
  private stopped: (() => void) | undefined = undefined;
  /** From here on its errors are those of its cleanup. */
  private tornDown = false;

  constructor(
    private readonly iterator: AnyIterator,
    public sink: Sink,
    /** Where the iterator is that of one: it destroys only what was pulled from. */
    private readonly readable?: Readable,
    // generator bodies see the async context of who pulls them: it has to be that of the call, not of the socket
    private readonly context = currentContext(),
  ) {}

  static of(iterable: AsyncIterable<unknown>, sink: Sink): PullSource {
    const readable = heardReadable(iterable);
    const source = new PullSource(iterable[Symbol.asyncIterator](), sink, readable);
    // to close it takes its time: its iterator has returned long before
    readable?.on('error', source.onStreamError);
    return source;
  }

  resume(): void {
    // an iterator that answers at once goes on in the same turn, as far as the credits reach
    while (this.state === 'idle' && this.sink.isReady()) {
      this.state = 'asking';
      let next: unknown;
      let late = false;
      try {
        next = this.context.runInAsyncScope(askNext, undefined, this.iterator);
        late = isThenable(next);
        if (late) Promise.resolve(next as PromiseLike<IteratorResult<unknown>>).then(this.onNext, this.onFailure);
      } catch (thrown) {
        // by `next()`, or by a getter of what it gave
        this.onFailure(thrown);
        return;
      }
      if (this.isOver()) {
        this.tearDown(late);
        return;
      }
      if (late) {
        this.state = 'pulling';
        return;
      }
      this.take(next as IteratorResult<unknown>);
    }
  }

  stop(stopped: () => void): void {
    if (this.state === 'over') {
      stopped();
      return;
    }
    const { state } = this;
    this.state = 'over';
    this.stopped = stopped;
    // by the code of `next()`: when that comes back
    if (state !== 'asking') this.tearDown(state === 'pulling');
  }

  private isOver(): boolean {
    return this.state === 'over';
  }

  private tearDown(pulling: boolean): void {
    const stopped = this.stopped ?? nobody;
    const tells = this.askToEnd(stopped);
    if (tells) this.stopped = undefined;
    this.tornDown = true;
    try {
      this.readable?.destroy();
    } catch (thrown) {
      this.sink.cleanupFailed(thrown);
    }
    // an iterator without `return` has ended when the pull that runs has
    if (!tells && !pulling) stopped();
  }

  /** False: the iterator has no `return`, which would tell. */
  private askToEnd(stopped: () => void): boolean {
    try {
      // a generator answers after the pull that runs
      const returned = this.context.runInAsyncScope(askReturn, undefined, this.iterator);
      if (returned === undefined) return false;
      returned.then(stopped, (thrown: unknown) => {
        this.sink.cleanupFailed(thrown);
        stopped();
      });
    } catch (thrown) {
      this.sink.cleanupFailed(thrown);
      // what throws has ended
      queueMicrotask(stopped);
    }
    return true;
  }

  private readonly onStreamError = (thrown: unknown): void => {
    if (this.tornDown) this.sink.cleanupFailed(thrown);
  };

  private readonly onNext = (result: IteratorResult<unknown>): void => {
    this.take(result);
    this.resume();
  };

  private take(result: IteratorResult<unknown>): void {
    if (this.state === 'over') {
      this.stopped?.();
      return;
    }
    let done: boolean;
    let value: unknown;
    try {
      done = Boolean(result.done);
      value = done ? undefined : result.value;
    } catch (thrown) {
      this.onFailure(thrown);
      return;
    }
    if (done) {
      this.state = 'over';
      this.sink.end();
      return;
    }
    this.state = 'idle';
    this.sink.value(value);
  }

  private readonly onFailure = (thrown: unknown): void => {
    if (this.state === 'over') {
      this.stopped?.();
      return;
    }
    this.state = 'over';
    this.sink.fail(thrown);
  };
}
