import { Rate, type Clock } from '../time/index.js';

/** A call that was opened no longer ago was just opened. */
const JUST_MS = 1000;

/** Counts cancels of calls that were just opened: opening and cancelling in a row is an attack (CVE-2023-44487). */
export class CancelRate {
  private readonly rate: Rate;

  constructor(
    private readonly clock: Clock,
    perSecond: number,
  ) {
    this.rate = new Rate(clock, perSecond);
  }

  /** Counts the cancel of a call; true when the second's number is passed. */
  exceededBy(call: { readonly openedAt: number }): boolean {
    return this.clock.now() - call.openedAt < JUST_MS && this.rate.exceeded();
  }
}
