import type { AsyncResource } from 'node:async_hooks';
import { Subscriber, type Observable } from 'rxjs';
import { currentContext } from './async-context.js';
import { PullSource } from './pull-source.js';
import { isAsyncIterable } from './result-kind.js';
import type { Sink, Source } from './source.js';

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
      // of one that had ended it is its teardown, which RxJS runs at once
      if (this.isRunning()) this.onError(thrown);
      else this.sink.cleanupFailed(thrown);
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
      cleanupFailed: (thrown) => this.sink.cleanupFailed(thrown),
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
    } catch (thrown) {
      this.sink.cleanupFailed(thrown);
    }
  }
}

function unsubscribe(subscription: Values | undefined): void {
  subscription?.unsubscribe();
}

/**
 * What an Observable pushes, and the subscription to it in one: so an endless synchronous Observable can be closed,
 * which ends before `subscribe` returns only then, and an idle stream costs one object.
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
