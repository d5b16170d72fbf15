import { GridError, TEXT } from '../errors/index.js';

/**
 * - `new`: nothing is dialed, nobody is let in.
 * - `running`.
 * - `draining`: no new calls of others; what runs gets `drainTimeoutMs`.
 * - `closed`: for good.
 */
export type LifeStage = 'new' | 'running' | 'draining' | 'closed';

/** A grid's life, which is lived once, and what others are told while they are not let in. */
export class Life {
  private current: LifeStage = 'new';

  get stage(): LifeStage {
    return this.current;
  }

  /** @throws GridError FAILED_PRECONDITION once the end has begun. */
  begin(): void {
    this.verifyOpen();
    this.current = 'running';
  }

  /** @returns whether it ran, so that there is something to drain. */
  drain(): boolean {
    const ran = this.current === 'running';
    this.current = 'draining';
    return ran;
  }

  end(): void {
    this.current = 'closed';
  }

  /** @throws GridError FAILED_PRECONDITION once the end has begun. */
  verifyOpen(): void {
    if (this.current === 'draining' || this.current === 'closed') throw closedGrid();
  }

  /** What an incoming call gets while none are taken. */
  refusal(): GridError | undefined {
    if (this.current === 'running') return undefined;
    return new GridError('UNAVAILABLE', TEXT.draining, { reason: 'draining' });
  }

  /** Why no host is let in now, in words for the one that asks; undefined while they are. */
  closedBecause(): string | undefined {
    if (this.current === 'running') return undefined;
    return this.current === 'new' ? 'this host has not started yet' : 'this host is shutting down';
  }
}

export function closedGrid(): GridError {
  return new GridError('FAILED_PRECONDITION', 'the grid is closed', { reason: 'closed' });
}
