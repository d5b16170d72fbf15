import { handled, type GridError } from '../errors/index.js';
import { AwakeTimer, type Clock } from '../time/index.js';

export interface AttemptPorts {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The error of an attempt whose time is over. */
  readonly late: () => GridError;
  /** Aborted when nobody wants it any more. */
  readonly outer: AbortSignal;
}

/** Work of others, such as a function of the options, that is given up when its time is over. */
export class Attempt {
  private readonly controller = new AbortController();
  private readonly timer: AwakeTimer;
  private readonly forward: () => void;

  constructor(private readonly ports: AttemptPorts) {
    const { clock, timeoutMs, late, outer } = ports;
    this.forward = () => this.controller.abort(outer.reason);
    outer.addEventListener('abort', this.forward, { once: true });
    if (outer.aborted) this.forward();
    this.timer = new AwakeTimer(clock, timeoutMs, () => this.controller.abort(late()));
  }

  /** Aborted when it is given up. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The work's result, or the abort, whichever is first; what comes after the abort is given to `dropLate`. */
  async race<T>(work: T | Promise<T>, dropLate?: (late: T) => void): Promise<T> {
    const { signal } = this;
    let onAbort: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, aborted]);
    } catch (error) {
      if (signal.aborted) {
        // it was given up: how it failed is of no interest, nor how dropping it does
        void handled(Promise.resolve(work).then((late) => dropLate?.(late)));
      }
      throw error;
    } finally {
      if (onAbort) signal.removeEventListener('abort', onAbort);
    }
  }

  /** Stops the clock. */
  end(): void {
    this.timer.cancel();
    this.ports.outer.removeEventListener('abort', this.forward);
  }
}
