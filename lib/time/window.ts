import type { Clock } from './clock.js';

/**
 * Time in pieces of one length, in each of which something is counted. A piece begins when it is asked for after the
 * one before has passed, so an idle window costs nothing.
 */
export class Window {
  private startedAt = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly lengthMs: number,
  ) {}

  /** Begins the next piece where one has passed since the last one began. True: it did; always so the first time. */
  turned(): boolean {
    const now = this.clock.now();
    if (now - this.startedAt < this.lengthMs) return false;
    this.startedAt = now;
    return true;
  }
}
