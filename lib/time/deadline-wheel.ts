import type { Clock, Timer } from './clock.js';

/** Slots of each level, and so how many times longer a slot of the next level is. */
const SLOT_BITS = 6;
const SLOTS = 2 ** SLOT_BITS;
/** Milliseconds that one slot of each level spans; the last level reaches 2 years ahead. */
const SPANS: readonly number[] = [0, 1, 2, 3, 4, 5].map((level) => SLOTS ** level);
const TOP = SPANS.length - 1;

/**
 * Something that falls due at its own time. It stands in one wheel at most, and is its own link there. No base class:
 * to make an object of a derived one costs twice as much, and a request is made for each call.
 */
export interface Deadline {
  /** @internal Whole milliseconds of the wheel's clock, rounded up: never early. At first 0. */
  dueAt: number;
  /** @internal Where it stands; -1: nowhere, as at first. */
  slot: number;
  /** @internal */
  before: Deadline | undefined;
  /** @internal */
  after: Deadline | undefined;

  /** @internal Called once, when the time has come; it stands in no wheel any more. */
  onDue(): void;
}

/** Where deadlines of one time go, as long as the present has not moved on. */
interface Spot {
  dueAt: number;
  at: number;
  slot: number;
  /** When that slot comes up. */
  startsAt: number;
}

/**
 * Deadlines of any length on one timer. Adding and removing cost the same however many wait, and the timer runs only
 * while there are some. A deadline stands in a slot of the level whose span fits the time that is left, and moves to a
 * finer level when that slot comes up, at most once per level.
 */
export class DeadlineWheel {
  private readonly slots: (Deadline | undefined)[] = [];
  private readonly counts = SPANS.map(() => 0);
  private size = 0;
  /** Up to here everything has fired. */
  private at = 0;
  private timer: Timer | undefined = undefined;
  private timerAt = Infinity;
  private firing = false;
  private held = false;
  /** When the timer has to fire for what came since `hold`. */
  private wantedAt = Infinity;
  /** Of the deadline that was placed last: with many calls most fall due in the same millisecond as the one before. */
  private readonly recent: Spot = { dueAt: -1, at: -1, slot: 0, startsAt: 0 };

  constructor(private readonly clock: Clock) {}

  /** @param dueAt On the wheel's clock. What lies in the past falls due at once, in a later turn. */
  add(deadline: Deadline, dueAt: number): void {
    if (this.size === 0 && !this.firing) this.at = Math.floor(this.clock.now());
    // what fires may add again, but not into the slot that is being emptied
    deadline.dueAt = Math.max(Math.ceil(dueAt), this.firing ? this.at + 1 : this.at);
    this.size++;
    const startsAt = this.place(deadline);
    if (startsAt >= this.timerAt || this.firing) return;
    if (!this.held) this.arm(startsAt);
    else if (startsAt < this.wantedAt) this.wantedAt = startsAt;
  }

  /** Takes it out; does nothing if it stands in no wheel. */
  remove(deadline: Deadline): void {
    if (deadline.slot < 0) return;
    this.unlink(deadline);
    if (--this.size === 0 && !this.held) this.disarm();
  }

  /** From now on no timer is set: much of what is added is removed again before `release`. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    const { wantedAt } = this;
    this.held = false;
    this.wantedAt = Infinity;
    if (this.size === 0) this.disarm();
    else if (wantedAt < this.timerAt) this.arm(wantedAt);
  }

  /** Takes out all that wait: none of them falls due. */
  clear(): void {
    for (let slot = 0; slot < this.slots.length; slot++) {
      for (let head = this.slots[slot]; head; head = this.slots[slot]) this.unlink(head);
    }
    this.size = 0;
    this.disarm();
  }

  /** Puts it into its slot, and tells when that comes up. */
  private place(deadline: Deadline): number {
    const { recent } = this;
    if (deadline.dueAt !== recent.dueAt || this.at !== recent.at) this.find(deadline.dueAt);
    const { slot } = recent;
    const head = this.slots[slot];
    deadline.slot = slot;
    deadline.before = undefined;
    deadline.after = head;
    if (head) head.before = deadline;
    this.slots[slot] = deadline;
    this.counts[slot >> SLOT_BITS]!++;
    return recent.startsAt;
  }

  /** Finds the slot for that time, into `recent`. */
  private find(dueAt: number): void {
    const { recent, at } = this;
    let level = 0;
    while (level < TOP && blockOf(dueAt, level) !== blockOf(at, level)) level++;
    const span = SPANS[level]!;
    // what the last level does not reach stands in its farthest slot, and is placed again when that comes up
    const turn = Math.min(Math.floor(dueAt / span), Math.floor(at / span) + SLOTS - 1);
    recent.dueAt = dueAt;
    recent.at = at;
    recent.slot = level * SLOTS + (turn % SLOTS);
    recent.startsAt = turn * span;
  }

  private unlink(deadline: Deadline): void {
    const { slot, before, after } = deadline;
    if (before) before.after = after;
    else this.slots[slot] = after;
    if (after) after.before = before;
    this.counts[slot >> SLOT_BITS]!--;
    deadline.slot = -1;
    deadline.before = undefined;
    deadline.after = undefined;
  }

  private arm(at: number): void {
    this.timer?.cancel();
    this.timerAt = at;
    this.timer = this.clock.setTimer(Math.max(0, at - this.clock.now()), () => this.fire());
  }

  private disarm(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.timerAt = Infinity;
  }

  private fire(): void {
    this.disarm();
    this.firing = true;
    const now = this.clock.now();
    let next = this.next();
    try {
      for (; next && next.startsAt <= now; next = this.next()) this.turn(next.slot, next.startsAt);
    } finally {
      this.firing = false;
      if (next) this.arm(next.startsAt);
    }
  }

  /** The slot that comes up: its deadlines fall due, or move to finer levels. */
  private turn(slot: number, startsAt: number): void {
    this.at = Math.max(this.at, startsAt);
    this.reverse(slot);
    for (let head = this.slots[slot]; head; head = this.slots[slot]) {
      this.unlink(head);
      if (slot >= SLOTS) {
        this.place(head);
      } else {
        this.size--;
        head.onDue();
      }
    }
  }

  /** Oldest first from now on. What was placed last stands first: so adding looks at no other end. */
  private reverse(slot: number): void {
    let first: Deadline | undefined;
    for (let next = this.slots[slot]; next; next = first.before) {
      first = next;
      [first.before, first.after] = [first.after, first.before];
    }
    this.slots[slot] = first;
  }

  /** The first slot that is not empty: always one of the finest level that has any. */
  private next(): { slot: number; startsAt: number } | undefined {
    const level = this.counts.findIndex((count) => count > 0);
    if (level < 0) return undefined;
    const span = SPANS[level]!;
    const first = Math.floor(this.at / span);
    for (let turn = first; turn < first + SLOTS; turn++) {
      const slot = level * SLOTS + (turn % SLOTS);
      if (this.slots[slot]) return { slot, startsAt: turn * span };
    }
    return undefined;
  }
}

/** Deadlines of one level lie in one such block with the present. */
function blockOf(time: number, level: number): number {
  return Math.floor(time / (SPANS[level]! * SLOTS));
}
