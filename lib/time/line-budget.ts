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

  /** Writes the line, unless those of the hour are spent. */
  spend(line: string, write: (line: string) => void): void {
    let leftOut = 0;
    if (this.hour.turned()) {
      leftOut = Math.max(0, this.lines - LINES_PER_HOUR);
      this.lines = 0;
    }
    this.lines++;
    if (leftOut > 0) write(`${line} (${leftOut} lines before this one were left out)`);
    else if (this.lines < LINES_PER_HOUR) write(line);
    else if (this.lines === LINES_PER_HOUR) write(`${line} (no more lines of this sort for up to an hour)`);
  }
}
