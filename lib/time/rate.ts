import type { Clock } from './clock.js';
import { Window } from './window.js';

const SECOND_MS = 1_000;

/** Counts what somebody does, second by second. */
export class Rate {
  private readonly second: Window;
  private count = 0;

  constructor(
    clock: Clock,
    private readonly perSecond: number,
  ) {
    this.second = new Window(clock, SECOND_MS);
  }

  /** Counts one more. True: it is one too many. */
  exceeded(): boolean {
    if (this.second.turned()) this.count = 0;
    return ++this.count > this.perSecond;
  }
}
