import type { GridLogger } from '../observe/index.js';
import { GridError } from '../errors/index.js';
import type { CallContext } from './call-context.js';
import { logFailure } from './handler-failure.js';

/** A call on its way to its handler. */
export interface IncomingCall {
  /** `request`: what `request` and `send` ask for, even if the answer to the latter turns out to be a stream. */
  readonly kind: 'request' | 'stream' | 'event';
  /** The same object that the handler gets, in a Nest app inside of its `GridContext`. */
  readonly context: CallContext;
}

/**
 * Told once, when the handler has really ended: for a stream after its last value. `error` is what the caller gets
 * (for an event, whose caller has gone, what is logged), with what was thrown as its `cause`.
 */
export type HandlerEnd = (error: GridError | undefined) => void;

/**
 * A hook around handlers: calls `run` at once and once, which starts the handler. All of the handler sees the async
 * context in which `run` was called, each step of a generator and each teardown too. An error in place of the call of
 * `run` refuses the call. The first one added is the outermost.
 */
export type HandlerInterceptor = (call: IncomingCall, run: () => void) => HandlerEnd | undefined;

/** What is needed to run one handler inside of hooks. */
export interface InterceptedPorts {
  readonly interceptors: readonly HandlerInterceptor[];
  readonly logger: GridLogger;
  readonly run: () => void;
  /** Fails the call in place of `run`. */
  readonly fail: (thrown: unknown) => void;
}

/** One handler that runs inside of hooks. */
export class InterceptedHandler {
  /** The innermost first. */
  private readonly ends: HandlerEnd[] = [];
  private outcome: { readonly error: GridError | undefined } | undefined = undefined;
  private entered = false;

  constructor(
    private readonly call: IncomingCall,
    private readonly ports: InterceptedPorts,
  ) {}

  start(): void {
    // a copy: one that is added or removed meanwhile counts from the next call on
    this.enter([...this.ports.interceptors], 0);
    this.entered = true;
    this.tell();
  }

  /** The handler has ended, maybe before all hooks have come back from `run`. */
  ended(error: GridError | undefined): void {
    this.outcome ??= { error };
    if (this.entered) this.tell();
  }

  private enter(interceptors: readonly HandlerInterceptor[], index: number): void {
    const interceptor = interceptors[index];
    if (interceptor === undefined) return this.ports.run();
    let ran = false;
    let left = false;
    const run = (): void => {
      if (left) {
        // the call has failed without it, or has its handler: a second answer would free a place that is not its own
        this.log(new GridError('FAILED_PRECONDITION', 'it called run() after it had returned'));
        return;
      }
      if (ran) throw new GridError('FAILED_PRECONDITION', 'an interceptor of handlers called run() twice');
      ran = true;
      this.enter(interceptors, index + 1);
    };
    try {
      const end = interceptor(this.call, run);
      if (end) this.ends.push(end);
      if (!ran) throw new GridError('INTERNAL', 'an interceptor of handlers did not call run()');
    } catch (thrown) {
      if (ran) this.log(thrown);
      else this.ports.fail(thrown);
    } finally {
      left = true;
    }
    return undefined;
  }

  private tell(): void {
    if (!this.outcome) return;
    const { error } = this.outcome;
    for (const end of this.ends.splice(0)) {
      try {
        end(error);
      } catch (thrown) {
        this.log(thrown);
      }
    }
  }

  private log(thrown: unknown): void {
    logFailure(this.ports.logger, `handler ${this.call.context.pattern}: its interceptor failed:`, thrown);
  }
}
