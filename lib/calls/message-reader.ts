import { GridError, textOf } from '../errors/index.js';
import type { Inbound } from '../mux/index.js';
import { isThenable } from './result-kind.js';

export interface ReaderPorts {
  readonly inbound: Pick<Inbound, 'take' | 'available' | 'end' | 'discard' | 'onReady'>;
  /** Bytes to a message; may throw, may take its time (a schema). */
  readonly decode: (payload: Uint8Array) => unknown;
  /** The error as the reader gets it. */
  readonly named: (error: GridError) => GridError;
  /** The error for a message that `decode` would not take. */
  readonly broken: (thrown: unknown) => GridError;
  /** The reader has gone before the end, with the error where it was one that ended the reading. */
  readonly onLeave: (error: GridError | undefined) => void;
}

interface Waiter {
  readonly resolve: (result: Step) => void;
  readonly reject: (error: GridError) => void;
}

type Step = IteratorResult<unknown, undefined> | PromiseLike<IteratorResult<unknown, undefined>>;

const DONE: IteratorResult<unknown, undefined> = Object.freeze({ done: true, value: undefined });

/** One direction's messages as an async iterator. Each is taken, and its credit given back, when it is asked for. */
export class MessageReader implements AsyncIterableIterator<unknown, undefined> {
  private waiters: Waiter[] = [];
  private over = false;

  constructor(private readonly ports: ReaderPorts) {
    ports.inbound.onReady = () => this.serve();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.waiters.length === 0) {
      try {
        const step = this.step();
        if (step !== undefined) return Promise.resolve(step);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.over) this.leave(undefined);
    return Promise.resolve(DONE);
  }

  /** The next message or the end; undefined when neither is there. */
  private step(): Step | undefined {
    if (this.over) return DONE;
    const { inbound } = this.ports;
    const payload = inbound.take();
    if (payload !== undefined) return this.decoded(payload);
    const { end } = inbound;
    if (end === undefined) return undefined;
    this.over = true;
    if (end.error) throw this.ports.named(end.error);
    return DONE;
  }

  private decoded(payload: Uint8Array): Step {
    try {
      const value = this.ports.decode(payload);
      if (!isThenable(value)) return { done: false, value };
      return value.then(
        (late) => ({ done: false, value: late }),
        (thrown: unknown) => this.breakOff(thrown),
      );
    } catch (thrown) {
      return this.breakOff(thrown);
    }
  }

  private breakOff(thrown: unknown): never {
    const error = this.ports.broken(thrown);
    if (!this.over) this.leave(error);
    throw this.ports.named(error);
  }

  private leave(error: GridError | undefined): void {
    this.over = true;
    this.ports.inbound.discard();
    this.ports.onLeave(error);
    this.serve();
  }

  private serve(): void {
    const { inbound } = this.ports;
    while (this.waiters.length > 0 && (this.over || inbound.available > 0 || inbound.end)) {
      const waiter = this.waiters.shift()!;
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
  return new GridError('INVALID_ARGUMENT', `${what} cannot be decoded: ${textOf(thrown)}`, { cause: thrown });
}

/** Messages that may be read once. */
export function onlyOnce(open: () => AsyncIterableIterator<unknown, undefined>): AsyncIterable<unknown> {
  let opened = false;
  return {
    [Symbol.asyncIterator]: () => {
      if (opened) throw new GridError('FAILED_PRECONDITION', 'the messages of a call have one reader only');
      opened = true;
      return open();
    },
  };
}
