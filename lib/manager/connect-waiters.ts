import { checkSignal } from '../calls/index.js';
import { GridError, inOneLine, TEXT, toGridError } from '../errors/index.js';
import type { Clock } from '../time/index.js';
import type { WaitOptions } from './peer-state.js';

/** Those who wait for a connection. Each wait has its exits: connected, timeout, abort, closed. */
export class ConnectWaiters {
  private readonly waiting = new Set<(error: GridError | undefined) => void>();

  constructor(
    private readonly clock: Clock,
    private readonly peer: string,
    /** Why there is none yet, as far as it is known. */
    private readonly fault: () => GridError | undefined = () => undefined,
  ) {}

  wait({ signal, timeoutMs }: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      checkSignal(signal);
      const cancelled = (): GridError => toGridError(signal?.reason, 'CANCELLED').with({ peer: this.peer });
      if (signal?.aborted) return reject(cancelled());
      const abort = (): void => settle(cancelled());
      const settle = (error: GridError | undefined): void => {
        this.waiting.delete(settle);
        timer?.cancel();
        signal?.removeEventListener('abort', abort);
        if (error) reject(error);
        else resolve();
      };
      const tooLate = (): void => {
        const cause = this.fault();
        const why = cause === undefined ? '' : `: ${inOneLine(cause.message)}`;
        const text = `${TEXT.deadline}: no connection to ${this.peer} within ${timeoutMs} ms${why}`;
        settle(new GridError('DEADLINE_EXCEEDED', text, { peer: this.peer, reason: 'not-connected', cause }));
      };
      const ends = timeoutMs !== undefined && timeoutMs !== Infinity;
      const timer = ends ? this.clock.setTimer(timeoutMs, tooLate) : undefined;
      signal?.addEventListener('abort', abort, { once: true });
      this.waiting.add(settle);
    });
  }

  /** Ends every wait: well, or with the error. */
  settle(error?: GridError): void {
    for (const settle of this.waiting) settle(error);
  }
}
