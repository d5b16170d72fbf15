import { AsyncResource } from 'node:async_hooks';
import { isObservable, Subscriber, type Observable } from 'rxjs';
import { isAsyncIterable, isReadable, isThenable } from './result-kind.js';

/** Where the values of a source go. None of these throws. */
export interface Sink {
  /** True while one more value may be pulled. Who makes it true again calls `Source.resume`. */
  isReady(): boolean;
  /** Observables come here without asking first. */
  value(value: unknown): void;
  /** The last call, unless the source was stopped. */
  end(): void;
  /**
   * The last call, unless the source was stopped: what the source threw. Some of its code may run on; the sink stops it,
   * which tells when it has ended.
   */
  fail(thrown: unknown): void;
}

/** Values that come one after the other. Nothing runs before the first `resume`. */
export interface Source {
  sink: Sink;
  /** Goes on as far as the sink is ready. */
  resume(): void;
  /**
   * Tears the source down; nothing reaches the sink any more. `stopped` is called once its code has really ended,
   * which for code that never comes back is never.
   */
  stop(stopped: () => void): void;
}

/**
 * The async context in which a result arrived: what AsyncLocalStorage held there. An AsyncResource and not
 * `AsyncLocalStorage.snapshot()`, which costs a hundred times as much.
 */
function currentContext(): AsyncResource {
  return new AsyncResource('GridCall');
}

/** The source that a result is, undefined for a result that is a plain value. */
export function sourceOf(result: unknown, sink: Sink): Source | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  if (isObservable(result)) return new PushSource(result, sink);
  return isAsyncIterable(result) ? PullSource.of(result, sink) : undefined;
}

/** Ends a result that nobody wants: a generator is returned, a Readable destroyed, an Observable left alone. */
export function discardResult(result: unknown): void {
  try {
    if (isAsyncIterable(result)) PullSource.of(result, NOWHERE).stop(() => {});
  } catch {
    // a result that cannot even be looked at has nothing to end
  }
}

/** Takes everything and wants nothing. */
export const NOWHERE: Sink = Object.freeze({ isReady: () => true, value() {}, end() {}, fail() {} });

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>;

const askNext = (iterator: AnyIterator): unknown => iterator.next();
const askReturn = (iterator: AnyIterator): unknown => iterator.return?.();

/** An async generator, iterable or Readable: one value is asked for each time the sink is ready, never two at once. */
export class PullSource implements Source {
  private state: 'idle' | 'pulling' | 'over' = 'idle';
  private stopped: (() => void) | undefined = undefined;

  constructor(
    private readonly iterator: AnyIterator,
    public sink: Sink,
    private readonly release?: () => void,
    // generator bodies see the async context of who pulls them: it has to be that of the call, not of the socket
    private readonly context = currentContext(),
  ) {}

  static of(iterable: AsyncIterable<unknown>, sink: Sink): PullSource {
    if (!isReadable(iterable)) return new PullSource(iterable[Symbol.asyncIterator](), sink);
    // its iterator listens for errors only from the first pull on, and destroys only what was pulled from
    iterable.on('error', () => {});
    return new PullSource(iterable[Symbol.asyncIterator](), sink, () => iterable.destroy());
  }

  resume(): void {
    // an iterator that answers at once goes on in the same turn, as far as the credits reach
    while (this.state === 'idle' && this.sink.isReady()) {
      this.state = 'pulling';
      let next: unknown;
      try {
        next = this.context.runInAsyncScope(askNext, undefined, this.iterator);
      } catch (thrown) {
        this.onFailure(thrown);
        return;
      }
      if (isThenable(next)) {
        Promise.resolve(next as PromiseLike<IteratorResult<unknown>>).then(this.onNext, this.onFailure);
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
    const pulling = this.state === 'pulling';
    this.state = 'over';
    let returned: unknown;
    try {
      returned = this.context.runInAsyncScope(askReturn, undefined, this.iterator);
      this.release?.();
    } catch {
      // the call is over already: nobody is left to tell
    }
    const hasReturn = typeof this.iterator.return === 'function';
    // a generator answers return() after the pull that runs; an iterator without one has ended when that pull has
    if (pulling && !hasReturn) this.stopped = stopped;
    else if (hasReturn) Promise.resolve(returned).then(stopped, stopped);
    else stopped();
  }

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

/**
 * An Observable: it pushes, whether the sink is ready or not. If its first value is an AsyncIterable (that is what an
 * interceptor makes of an async generator), that one is pulled in its place.
 */
export class PushSource implements Source {
  private state: 'fresh' | 'running' | 'over' = 'fresh';
  private subscription: Values | undefined = undefined;
  private inner: PullSource | undefined = undefined;
  private empty = true;
  private emitted = false;
  /** Where it is torn down. Many have ended before they need one. */
  private context: AsyncResource | undefined = undefined;

  constructor(
    private readonly observable: Observable<unknown>,
    public sink: Sink,
  ) {}

  resume(): void {
    if (this.state === 'fresh') this.subscribe();
    else this.inner?.resume();
  }

  stop(stopped: () => void): void {
    const { inner } = this;
    this.close();
    if (inner) inner.stop(stopped);
    else stopped();
  }

  private subscribe(): void {
    this.state = 'running';
    const values = new Values(this);
    this.subscription = values;
    try {
      // what another copy of RxJS gives is a subscription of its own
      values.add(this.observable.subscribe(values));
    } catch (thrown) {
      this.onError(thrown);
    }
    if (this.isRunning()) this.context ??= currentContext();
  }

  onComplete(): void {
    if (!this.inner) this.finish((sink) => sink.end());
  }

  onError(thrown: unknown): void {
    this.finish((sink) => sink.fail(thrown));
  }

  onValue(value: unknown): void {
    if (!this.emitted) {
      // what hooks and interceptors put around the handler is seen where its values come from: the teardown runs there
      this.emitted = true;
      this.context = currentContext();
    }
    if (this.inner) {
      const error = new Error('an Observable gave a second value beside an AsyncIterable');
      this.finish((sink) => sink.fail(error));
    } else if (this.empty && isAsyncIterable(value)) {
      this.pull(value);
    } else {
      this.empty = false;
      this.sink.value(value);
    }
  }

  private pull(iterable: AsyncIterable<unknown>): void {
    const relay: Sink = {
      isReady: () => this.isRunning() && this.sink.isReady(),
      value: (value) => this.sink.value(value),
      end: () => this.finish((sink) => sink.end()),
      fail: (thrown) => this.finish((sink) => sink.fail(thrown)),
    };
    try {
      this.inner = PullSource.of(iterable, relay);
    } catch (thrown) {
      relay.fail(thrown);
      return;
    }
    this.inner.resume();
  }

  private finish(tell: (sink: Sink) => void): void {
    if (!this.isRunning()) return;
    this.close();
    tell(this.sink);
  }

  private close(): void {
    const wasRunning = this.isRunning();
    this.state = 'over';
    if (wasRunning) this.unsubscribe();
  }

  private isRunning(): boolean {
    return this.state === 'running';
  }

  private unsubscribe(): void {
    try {
      if (this.context) this.context.runInAsyncScope(unsubscribe, undefined, this.subscription);
      else unsubscribe(this.subscription);
    } catch {
      // an error in the application's teardown: the call is over, nobody is left to tell
    }
  }
}

function unsubscribe(subscription: Values | undefined): void {
  subscription?.unsubscribe();
}

/**
 * What an Observable pushes, and the subscription to it in one: so an endless synchronous Observable can be closed, which
 * ends before `subscribe` returns only then, and an idle stream costs one object.
 */
class Values extends Subscriber<unknown> {
  constructor(private readonly source: PushSource) {
    super();
  }

  protected override _next(value: unknown): void {
    this.source.onValue(value);
  }

  protected override _error(thrown: unknown): void {
    try {
      this.source.onError(thrown);
    } finally {
      this.unsubscribe();
    }
  }

  protected override _complete(): void {
    try {
      this.source.onComplete();
    } finally {
      this.unsubscribe();
    }
  }
}
