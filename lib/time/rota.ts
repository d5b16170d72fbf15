import type { Clock, Timer } from './clock.js';

/**
 * A part of the delay: at least so often there is a round. One that comes late by more than this puts off what is due,
 * by this much.
 */
const ROUND = 1 / 4;

/** Something that takes its turn in a rota. It stands in one rota at most, and is its own link there. */
export abstract class Turn {
  /** @internal On the rota's clock; -1: it stands in none. */
  turnAt = -1;
  /** @internal */
  earlier: Turn | undefined = undefined;
  /** @internal */
  later: Turn | undefined = undefined;
}

/**
 * Things that each fall due the same time after they were put in: pings of 100,000 streams on one timer. As the delay
 * is the same for all, the order of insertion is the order of time, and each step costs the same however many wait.
 *
 * A round that comes much too late tells that this process stood still. What fell due meanwhile is put off once: what
 * arrived meanwhile is to be read first, and may take it out.
 */
export class Rota<T extends Turn> {
  // both are a T: nothing else is put in
  private first: Turn | undefined = undefined;
  private last: Turn | undefined = undefined;
  private timer: Timer | undefined = undefined;
  /** When the timer should fire. */
  private roundAt = 0;
  /** What was due by then has been put off already. */
  private putOffAt = -Infinity;
  private firing = false;
  /** The present while no timer is set. */
  private heldAt: number | undefined = undefined;

  constructor(
    private readonly clock: Clock,
    private readonly delayMs: number,
    private readonly onDue: (item: T) => void,
  ) {}

  /** Puts the item in, or back to the end: it falls due `delayMs` from now, which is the clock's unless it is known. */
  add(item: T, now = this.heldAt ?? this.clock.now()): void {
    this.unlink(item);
    item.turnAt = now + this.delayMs;
    item.earlier = this.last;
    if (this.last) this.last.later = item;
    else this.first = item;
    this.last = item;
    if (!this.timer && this.heldAt === undefined) this.arm(now);
  }

  remove(item: T): void {
    this.unlink(item);
    if (!this.first) this.stop();
  }

  /** From now on, and all of that is now, no timer is set: much of what is put in leaves again before `release`. */
  hold(now: number): void {
    this.heldAt = now;
  }

  release(): void {
    this.heldAt = undefined;
    if (this.first && !this.timer) this.arm(this.clock.now());
  }

  clear(): void {
    while (this.first) this.unlink(this.first);
    this.stop();
  }

  private unlink(item: Turn): void {
    if (item.turnAt < 0) return;
    const { earlier, later } = item;
    if (earlier) earlier.later = later;
    else this.first = later;
    if (later) later.earlier = earlier;
    else this.last = earlier;
    item.turnAt = -1;
    item.earlier = undefined;
    item.later = undefined;
  }

  private stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  /**
   * One timer, for the item that is due first. Not while items fire: what they add is due after those still to come.
   */
  private arm(now: number, leastMs = 0): void {
    if (this.firing || !this.first) return;
    // a round now and then where nothing is due: how late it comes tells how long this process stood still
    const waitMs = Math.min(Math.max(leastMs, this.first.turnAt - now), this.delayMs * ROUND);
    this.roundAt = now + waitMs;
    this.timer = this.clock.setTimer(waitMs, () => this.fire());
  }

  private fire(): void {
    this.timer = undefined;
    const now = this.clock.now();
    const late = now - this.roundAt > this.delayMs * ROUND;
    const until = late ? this.putOffAt : now;
    if (late) this.putOffAt = now;
    this.firing = true;
    try {
      for (let item = this.first; item && item.turnAt <= until; item = this.first) {
        this.unlink(item);
        this.onDue(item as T);
      }
    } finally {
      this.firing = false;
      this.arm(this.clock.now(), late ? this.delayMs * ROUND : 0);
    }
  }
}
