import { framelessError, GridError, textOf } from '../errors/index.js';
import { Fifo, type Inbound } from '../mux/index.js';
import { isThenable } from './result-kind.js';

/** Who asked for a message that is not there. */
class Waiter {
  constructor(
    readonly resolve: (result: Step) => void,
    readonly reject: (error: GridError) => void,
  ) {}
}

type Result = IteratorResult<unknown, undefined>;
type Step = Result | PromiseLike<Result>;

/** A plain object as generators give it, but no literal: see docs/ARCHITECTURE.md. */
const ItemResult = function (this: { done: false; value: unknown }, value: unknown) {
  this.done = false;
  this.value = value;
} as unknown as new (value: unknown) => IteratorYieldResult<unknown>;
ItemResult.prototype = Object.prototype;

/** The waiter of the promise that was made last: a function for each promise would cost as much as the rest of it. */
let made: Waiter | undefined;
const keep = (resolve: Waiter['resolve'], reject: Waiter['reject']): void => {
  made = new Waiter(resolve, reject);
};

const DONE: Result = Object.freeze({ done: true, value: undefined });

/**
 * One direction's messages as an async iterator. Each is taken, and its credit given back, when it is asked for. What
 * is there already costs one promise that is settled from the start.
 */
export abstract class MessageReader implements AsyncIterableIterator<unknown, undefined> {
  /** Who asked for a message that is not there: made when somebody has to wait. */
  private waiters: Fifo<Waiter> | undefined = undefined;
  private over = false;

  constructor(private readonly inbound: Inbound) {
    inbound.onReady = () => this.serve();
  }

  /** Bytes to a message; may throw, may take its time (a schema). */
  protected abstract decode(payload: Uint8Array): unknown;
  /** The error as the reader gets it. */
  protected abstract named(error: GridError): GridError;
  /** The error for a message that `decode` would not take. */
  protected abstract broken(thrown: unknown): GridError;
  /** The reader has gone before the end, with the error where it was one that ended the reading. */
  protected abstract onLeave(error: GridError | undefined): void;

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    if (this.waiters === undefined || this.waiters.length === 0) {
      try {
        const step = this.step();
        if (step !== undefined) return Promise.resolve(step);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const promise = new Promise<Result>(keep);
    this.waiters ??= new Fifo();
    this.waiters.push(made!);
    // it holds the promise, and that the message
    made = undefined;
    return promise;
  }

  return(): Promise<Result> {
    if (!this.over) this.leave(undefined);
    return Promise.resolve(DONE);
  }

  /** The next message or the end; undefined when neither is there. */
  private step(): Step | undefined {
    if (this.over) return DONE;
    const payload = this.inbound.take();
    if (payload !== undefined) return this.decoded(payload);
    const { end } = this.inbound;
    if (end === undefined) return undefined;
    this.over = true;
    if (end.error) throw this.named(end.error);
    return DONE;
  }

  private decoded(payload: Uint8Array): Step {
    try {
      const value = this.decode(payload);
      if (!isThenable(value)) return new ItemResult(value);
      return value.then(
        (late) => new ItemResult(late),
        (thrown: unknown) => this.breakOff(thrown),
      );
    } catch (thrown) {
      return this.breakOff(thrown);
    }
  }

  private breakOff(thrown: unknown): never {
    const error = this.broken(thrown);
    if (!this.over) this.leave(error);
    throw this.named(error);
  }

  private leave(error: GridError | undefined): void {
    this.over = true;
    this.inbound.discard();
    this.onLeave(error);
    this.serve();
  }

  private serve(): void {
    const { inbound, waiters } = this;
    if (waiters === undefined) return;
    while (waiters.length > 0 && (this.over || inbound.available > 0 || inbound.end)) {
      const waiter = waiters.shift()!;
      try {
        waiter.resolve(this.step() ?? DONE);
      } catch (error) {
        waiter.reject(error as GridError);
      }
    }
  }
}

/** What the caller sent and the handler's codec or schema would not take. */
export function unreadable(thrown: unknown, what: string): GridError {
  if (GridError.is(thrown)) return thrown;
  return framelessError('INVALID_ARGUMENT', `${what} cannot be decoded: ${textOf(thrown)}`, { cause: thrown });
}
