import { GridError } from '../errors/index.js';
import type { Clock } from '../time/index.js';
import { Attempt } from './attempt.js';

/** How long a function that stands in an option may take: it may fetch from elsewhere, but not hold up a grid. */
const ANSWER_MS = 30_000;

/** Asks functions that stand in options, for as long as the grid is not closed. */
export class Inquiry {
  private readonly closing = new AbortController();

  constructor(private readonly clock: Clock) {}

  /**
   * What the function gives. Rejects with what it throws, with DEADLINE_EXCEEDED that names the option when it has
   * given nothing by `ANSWER_MS`, and with FAILED_PRECONDITION when the grid is closed: nobody is asked then, and what
   * comes then is dropped.
   */
  async ask<T>(option: string, give: () => T | Promise<T>): Promise<T> {
    this.closing.signal.throwIfAborted();
    const late = (): GridError =>
      new GridError('DEADLINE_EXCEEDED', `${option}() has given nothing within ${ANSWER_MS} ms`);
    const attempt = new Attempt({ clock: this.clock, timeoutMs: ANSWER_MS, late, outer: this.closing.signal });
    try {
      return await attempt.race(give());
    } finally {
      attempt.end();
    }
  }

  /** Aborted by `close`, with its error as the reason. */
  get closed(): AbortSignal {
    return this.closing.signal;
  }

  /** Nobody waits any more: who asks, or asked, gets this error. */
  close(error: GridError): void {
    this.closing.abort(error);
  }
}
