import type { Clock, Timer } from '../time/index.js';

interface Pending extends Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
}

/** A clock that stands still until `advance` is called. `random()` gives 0.5 unless told otherwise. */
export class ManualClock implements Clock {
  private time = 0;
  private order = 0;
  private readonly pending = new Set<Pending>();

  constructor(
    private readonly startedAt = Date.UTC(2026, 0, 1),
    private readonly chance: () => number = () => 0.5,
  ) {}

  now(): number {
    return this.time;
  }

  date(): number {
    return this.startedAt + this.time;
  }

  random(): number {
    return this.chance();
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer: Pending = {
      at: this.time + Math.max(0, delayMs),
      order: this.order++,
      fire,
      cancel: () => this.pending.delete(timer),
    };
    this.pending.add(timer);
    return timer;
  }

  /** Timers that run now; 0 after everything was closed. */
  get timers(): number {
    return this.pending.size;
  }

  /** Moves time on by `ms`, firing what falls due in order of time. Timers started meanwhile count too. */
  advance(ms: number): void {
    const until = this.time + ms;
    for (let next = this.earliest(until); next !== undefined; next = this.earliest(until)) {
      this.time = next.at;
      this.pending.delete(next);
      next.fire();
    }
    this.time = until;
  }

  /**
   * Moves time on by `ms` as for a process whose event loop stood still: each timer that fell due fires once, late, in
   * order of time. Timers started meanwhile count from the end of the sleep.
   */
  oversleep(ms: number): void {
    this.time += ms;
    const due = [...this.pending].filter(({ at }) => at <= this.time);
    for (const timer of due.toSorted((a, b) => a.at - b.at || a.order - b.order)) {
      // an earlier one may have cancelled it
      if (this.pending.delete(timer)) timer.fire();
    }
  }

  private earliest(until: number): Pending | undefined {
    let found: Pending | undefined;
    for (const timer of this.pending) {
      if (timer.at > until) continue;
      if (!found || timer.at < found.at || (timer.at === found.at && timer.order < found.order)) found = timer;
    }
    return found;
  }
}
