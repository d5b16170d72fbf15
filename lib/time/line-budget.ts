import type { Clock } from './clock.js';
import { Window } from './window.js';

const HOUR_MS = 60 * 60 * 1_000;
/** Ten restarts of a peer are told in full. */
const LINES_PER_HOUR = 20;

/**
 * Lets 20 lines about one thing through in an hour, and says when it lets no more: what comes and goes all the time
 * must not fill a log.
 */
export class LineBudget {
  private readonly hour: Window;
  private lines = 0;

  constructor(clock: Clock) {
    this.hour = new Window(clock, HOUR_MS);
  }

  /** The line as it is to be written; undefined: not at all. */
  spend(line: string): string | undefined {
    let leftOut = 0;
    if (this.hour.turned()) {
      leftOut = Math.max(0, this.lines - LINES_PER_HOUR);
      this.lines = 0;
    }
    this.lines++;
    if (leftOut > 0) return `${line} (${leftOut} lines before this one were left out)`;
    if (this.lines < LINES_PER_HOUR) return line;
    return this.lines === LINES_PER_HOUR ? `${line} (no more lines of this sort for up to an hour)` : undefined;
  }
}
