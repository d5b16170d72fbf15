import type { Clock } from './clock.js';

const SECOND_MS = 1_000;

/** Counts what somebody does, second by second. */
export class Rate {
  private windowStart = -Infinity;
  private count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly perSecond: number,
  ) {}

  /** Counts one more. True: it is one too many. */
  exceeded(): boolean {
    const now = this.clock.now();
    if (now - this.windowStart >= SECOND_MS) {
      this.windowStart = now;
      this.count = 0;
    }
    return ++this.count > this.perSecond;
  }
}
