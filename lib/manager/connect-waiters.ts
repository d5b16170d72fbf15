import { checkSignal } from '../calls/index.js';
import { GridError, inOneLine, TEXT, toGridError } from '../errors/index.js';
import type { Clock } from '../time/index.js';
import type { WaitOptions } from './peer-state.js';

interface Waiter {
  settle(error: GridError | undefined): void;
}

/** Those who wait for a connection. Each wait has its exits: connected, timeout, abort, closed. */
export class ConnectWaiters {
  private readonly waiting = new Set<Waiter>();

  constructor(
    private readonly clock: Clock,
    private readonly peer: string,
    /** Why there is none yet, as far as it is known. */
    private readonly fault: () => GridError | undefined = () => undefined,
  ) {}

  wait({ signal, timeoutMs }: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      checkSignal(signal);
      if (signal?.aborted) return reject(toGridError(signal.reason, 'CANCELLED').with({ peer: this.peer }));
      const abort = (): void => waiter.settle(toGridError(signal?.reason, 'CANCELLED').with({ peer: this.peer }));
      const waiter: Waiter = {
        settle: (error) => {
          this.waiting.delete(waiter);
          timer?.cancel();
          signal?.removeEventListener('abort', abort);
          if (error) reject(error);
          else resolve();
        },
      };
      const tooLate = (): void => {
        const cause = this.fault();
        const why = cause === undefined ? '' : `: ${inOneLine(cause.message)}`;
        const text = `${TEXT.deadline}: no connection to ${this.peer} within ${timeoutMs} ms${why}`;
        waiter.settle(new GridError('DEADLINE_EXCEEDED', text, { peer: this.peer, reason: 'not-connected', cause }));
      };
      const ends = timeoutMs !== undefined && timeoutMs !== Infinity;
      const timer = ends ? this.clock.setTimer(timeoutMs, tooLate) : undefined;
      signal?.addEventListener('abort', abort, { once: true });
      this.waiting.add(waiter);
    });
  }

  /** Ends every wait: well, or with the error. */
  settle(error?: GridError): void {
    for (const waiter of this.waiting) waiter.settle(error);
  }
}
