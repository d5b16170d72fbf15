import type { Clock, Timer } from './clock.js';

/**
 * Things that each fall due the same time after they were put in: pings of 100,000 streams on one timer. As the delay
 * is the same for all, the order of insertion is the order of time, and each step costs the same however many wait.
 */
export class Rota<T> {
  private readonly dueAt = new Map<T, number>();
  private timer: Timer | undefined;
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
  private arm(): void {
    if (this.timer || this.firing) return;
    const [first] = this.dueAt.values();
    if (first === undefined) return;
    this.timer = this.clock.setTimer(Math.max(0, first - this.clock.now()), () => this.fire());
  }

  private fire(): void {
    this.timer = undefined;
    this.firing = true;
    try {
      const now = this.clock.now();
      for (const [item, at] of this.dueAt) {
        if (at > now) break;
        this.dueAt.delete(item);
        this.onDue(item);
      }
    } finally {
      this.firing = false;
      this.arm();
    }
  }
}
