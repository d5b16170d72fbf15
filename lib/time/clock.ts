/** A running timer. Whoever starts one holds this and cancels it; cancelling twice is harmless. */
export interface Timer {
  cancel(): void;
}

/** Time and chance as an argument: everything below `lib/nest` asks its clock, never the globals. */
export interface Clock {
  /**
   * Monotonic milliseconds, fractions included. Deadlines and ages are measured on it, so a step of the wall clock cuts
   * nothing.
   */
  now(): number;
  /** Unix time in milliseconds. Only for what travels as a date: the handshake, tokens, pings. */
  date(): number;
  /** Runs `fire` once, no sooner than `delayMs` from now. Delays over 2^31-1 ms are allowed. */
  setTimer(delayMs: number, fire: () => void): Timer;
  /** A number in [0, 1): jitter and first muxIds. Not for secrets. */
  random(): number;
}

/** setTimeout's own limit: beyond it Node fires at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

class SystemTimer implements Timer {
  private handle: NodeJS.Timeout;

  constructor(
    delayMs: number,
    private readonly fire: () => void,
  ) {
    this.handle = this.arm(delayMs);
  }

  private arm(delayMs: number): NodeJS.Timeout {
    if (delayMs <= LONGEST_DELAY_MS) return setTimeout(this.fire, delayMs);
    return setTimeout(() => {
      this.handle = this.arm(delayMs - LONGEST_DELAY_MS);
    }, LONGEST_DELAY_MS);
  }

  cancel(): void {
    clearTimeout(this.handle);
  }
}

/** Looks the globals up each time: fake timers of an application's test replace them. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  date: () => Date.now(),
  setTimer: (delayMs: number, fire: () => void): Timer => new SystemTimer(delayMs, fire),
  random: () => Math.random(),
});
