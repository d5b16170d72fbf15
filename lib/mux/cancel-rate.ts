import type { Clock } from '../time/index.js';

const WINDOW_MS = 1000;

/** Counts cancels of calls that were just opened: opening and cancelling in a row is an attack (CVE-2023-44487). */
export class CancelRate {
  private windowStart = -Infinity;
  private count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly perSecond: number,
  ) {}

  /** Counts the cancel of a call; true when the second's number is passed. */
  exceededBy(call: { readonly openedAt: number }): boolean {
    const now = this.clock.now();
    if (now - call.openedAt >= WINDOW_MS) return false;
    if (now - this.windowStart >= WINDOW_MS) {
      this.windowStart = now;
      this.count = 0;
    }
    this.count++;
    return this.count > this.perSecond;
  }
}
