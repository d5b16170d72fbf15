import type { Clock, Timer } from './clock.js';

/** The part of the delay that a round may be late, and by which it is put off if it is later still. */
const LATE = 1 / 4;

/**
 * Things that each fall due the same time after they were put in: pings of 100,000 streams on one timer. As the delay
 * is the same for all, the order of insertion is the order of time, and each step costs the same however many wait.
 *
 * A round that comes much too late tells that this process stood still. What fell due meanwhile is put off once: what
 * arrived meanwhile is to be read first, and may take it out.
 */
export class Rota<T> {
  private readonly dueAt = new Map<T, number>();
  private timer: Timer | undefined;
  /** When the timer should fire. */
  private roundAt = 0;
  /** What was due by then has been put off already. */
  private putOffAt = -Infinity;
  private firing = false;

  constructor(
    private readonly clock: Clock,
    private readonly delayMs: number,
    private readonly onDue: (item: T) => void,
  ) {}

  /** Puts the item in, or back to the end: it falls due `delayMs` from now. */
  add(item: T): void {
    this.dueAt.delete(item);
    this.dueAt.set(item, this.clock.now() + this.delayMs);
    this.arm();
  }

  remove(item: T): void {
    this.dueAt.delete(item);
    if (this.dueAt.size === 0) this.stop();
  }

  clear(): void {
    this.dueAt.clear();
    this.stop();
  }

  private stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  /**
   * One timer, for the item that is due first. Not while items fire: what they add is due after those still to come.
   */
  private arm(leastMs = 0): void {
    if (this.timer || this.firing) return;
    const [first] = this.dueAt.values();
    if (first === undefined) return;
    const now = this.clock.now();
    const waitMs = Math.max(leastMs, first - now);
    this.roundAt = now + waitMs;
    this.timer = this.clock.setTimer(waitMs, () => this.fire());
  }

  private fire(): void {
    this.timer = undefined;
    const now = this.clock.now();
    const late = now - this.roundAt > this.delayMs * LATE;
    const until = late ? this.putOffAt : now;
    if (late) this.putOffAt = now;
    this.firing = true;
    try {
      for (const [item, at] of this.dueAt) {
        if (at > until) break;
        this.dueAt.delete(item);
        this.onDue(item);
      }
    } finally {
      this.firing = false;
      this.arm(late ? this.delayMs * LATE : 0);
    }
  }
}
