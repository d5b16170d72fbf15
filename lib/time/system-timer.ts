import { AsyncResource } from 'node:async_hooks';
import type { Timer } from './clock.js';

/**
 * Node counts in whole milliseconds from one that has begun: a timer may ring almost one too early. What rings earlier
 * than this is fake, and the time that it is compared with is not.
 */
const MOST_EARLY_MS = 2;

function isEarly(dueAt: number): boolean {
  const early = dueAt - performance.now();
  return early > 0 && early < MOST_EARLY_MS;
}

/** setTimeout's own limit: beyond it Node fires at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/**
 * Where Node's timers are set: what AsyncLocalStorage holds for one who waits is not for the next, nor kept for him.
 */
const outside = new AsyncResource('GridTimer');

/**
 * A timer of Node's, and who waits for it. With one call out at a time each would set one and clear it, a microsecond
 * or two. So one that nobody waits for any more is kept for who comes next; it keeps no process alive.
 */
class Alarm {
  private static kept: Alarm | undefined = undefined;

  owner: SystemTimer | undefined = undefined;
  private ringsAt = 0;
  private handle: NodeJS.Timeout | undefined = undefined;
  /** Where it comes from: fake timers of an application's test replace the global, and are replaced again. */
  private readonly madeBy = setTimeout;

  /** One that rings at that time, or before it and is set again then. */
  static at(time: number): Alarm {
    const { usable } = Alarm;
    if (usable && usable.ringsAt <= time) {
      Alarm.kept = undefined;
      usable.handle?.ref();
      return usable;
    }
    const alarm = new Alarm();
    alarm.set(time);
    return alarm;
  }

  /** The one that is kept, unless those who made it are gone. */
  private static get usable(): Alarm | undefined {
    return Alarm.kept?.madeBy === setTimeout ? Alarm.kept : undefined;
  }

  /** Nobody waits for it any more. Of two the earlier one is kept, which suits more of those who come next. */
  free(): void {
    this.owner = undefined;
    this.handle?.unref();
    // it rings for nobody, and those who made it could not clear it now
    if (this.madeBy !== setTimeout) return;
    const { usable } = Alarm;
    if (usable && usable.ringsAt <= this.ringsAt) {
      clearTimeout(this.handle);
      return;
    }
    clearTimeout(usable?.handle);
    Alarm.kept = this;
  }

  private set(time: number): void {
    const now = performance.now();
    const delayMs = Math.min(time - now, LONGEST_DELAY_MS);
    this.ringsAt = delayMs < LONGEST_DELAY_MS ? time : now + delayMs;
    // Node cuts the fraction off: most would ring too early and have to be set again. Newer ones warn of what is late
    const wholeMs = Math.max(0, Math.ceil(delayMs));
    this.handle = outside.runInAsyncScope(() => setTimeout(() => this.ring(), wholeMs));
  }

  private ring(): void {
    const { owner } = this;
    if (!owner) {
      if (Alarm.kept === this) Alarm.kept = undefined;
    } else if (owner.dueAt > this.ringsAt || isEarly(owner.dueAt)) this.set(owner.dueAt);
    else owner.ring();
  }
}

/** A timer of the system's clock: a place at an alarm. */
export class SystemTimer implements Timer {
  readonly dueAt: number;
  private alarm: Alarm | undefined;

  constructor(
    delayMs: number,
    private readonly fire: () => void,
  ) {
    this.dueAt = performance.now() + delayMs;
    this.alarm = Alarm.at(this.dueAt);
    this.alarm.owner = this;
  }

  ring(): void {
    this.alarm = undefined;
    this.fire();
  }

  cancel(): void {
    this.alarm?.free();
    this.alarm = undefined;
  }
}
