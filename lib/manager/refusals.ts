import type { Clock } from '../time/index.js';

const MINUTE_MS = 60_000;
/** Addresses that are told apart in one minute, and addresses whose refusal was logged; past it they share. */
const MOST_KEYS = 1_000;
const SHARED = '';

/** Counts refusals by address and claimed host, so that who is refused again and again costs little. */
export class Refusals {
  private minuteStartedAt = -Infinity;
  private readonly counts = new Map<string, number>();
  private readonly logged = new Set<string>();

  constructor(
    private readonly clock: Clock,
    private readonly perMinute: number,
  ) {}

  /** True iff no more of it is looked at in this minute. */
  tooMany(key: string): boolean {
    this.turn();
    return (this.counts.get(this.slot(key)) ?? 0) >= this.perMinute;
  }

  count(key: string): void {
    this.turn();
    const slot = this.slot(key);
    this.counts.set(slot, (this.counts.get(slot) ?? 0) + 1);
  }

  /** True once per address: the refusal is worth a line. */
  worthLogging(address: string): boolean {
    if (this.logged.has(address) || this.logged.size >= MOST_KEYS) return false;
    this.logged.add(address);
    return true;
  }

  private slot(key: string): string {
    return this.counts.has(key) || this.counts.size < MOST_KEYS ? key : SHARED;
  }

  private turn(): void {
    const now = this.clock.now();
    if (now - this.minuteStartedAt < MINUTE_MS) return;
    this.minuteStartedAt = now;
    this.counts.clear();
  }
}
