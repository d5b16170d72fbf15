import { Rate, type Clock } from '../time/index.js';

/** A call that was opened no longer ago was just opened. */
export const JUST_MS = 1000;

/** When it was opened, and until when its caller waits, on the mux's clock. */
export interface OpenedCall {
  readonly openedAt: number;
  readonly deadlineAt: number | undefined;
}

/**
 * So many milliseconds a call counts as just opened. One whose time is half over was most likely ended by that: a
 * handler that hangs for a moment lets thousands of them pass their deadlines at once, and that is nobody's fault. Who
 * asks for less time wins nothing: it ends calls here, too.
 */
export function justMs({ openedAt, deadlineAt = Infinity }: OpenedCall): number {
  return Math.min(JUST_MS, (deadlineAt - openedAt) / 2);
}

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
  exceededBy(call: OpenedCall): boolean {
    return this.clock.now() - call.openedAt < justMs(call) && this.rate.exceeded();
  }
}
