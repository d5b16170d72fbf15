import { Readable } from 'node:stream';
import { throwError, type Observable } from 'rxjs';
import { handled, type GridError } from '../errors/index.js';
import type { GridCall } from './grid-call.js';

/** A stream that could not even be opened: no connection, no time left. It is over from the start. */
export class FailedCall implements GridCall {
  readonly done: Promise<void>;

  constructor(private readonly error: GridError) {
    this.done = rejected(error);
  }

  write(): Promise<void> {
    return rejected(this.error);
  }

  end(): void {}

  cancel(): void {}

  /** As that of an open call: it can be returned and iterated itself, and tells the error once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<never, undefined> {
    throw this.error;
  }

  toObservable(): Observable<never> {
    return throwError(() => this.error);
  }

  toReadable(): Readable {
    return Readable.from(this, { objectMode: true });
  }
}

/** A rejection that nobody has to look at: reading the call tells the same error. */
export function rejected(error: GridError): Promise<never> {
  return handled(Promise.reject(error));
}
