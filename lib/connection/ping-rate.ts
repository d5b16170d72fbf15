import type { Clock } from '../time/index.js';

/** Counts the peer's pings of the connection, second by second. */
export class PingRate {
  private windowStart = -Infinity;
  private count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly perSecond: number,
  ) {}

  /** Counts one ping. True: it is one too many. */
  exceeded(): boolean {
    const now = this.clock.now();
    if (now - this.windowStart >= 1_000) {
      this.windowStart = now;
      this.count = 0;
    }
    return ++this.count > this.perSecond;
  }
}
