import { Window, type Clock } from '../time/index.js';

const MINUTE_MS = 60_000;
/** Addresses and claimed hosts that are counted in one minute, and addresses whose refusal was logged. */
const MOST_KEYS = 1_000;

/**
 * Counts refusals by address and claimed host, so that who is refused again and again costs little. Past `MOST_KEYS`
 * the others are not counted: each of them costs the look at its token, but strangers with many addresses must not use
 * up what hosts are let in by.
 */
export class Refusals {
  private readonly minute: Window;
  private readonly counts = new Map<string, number>();
  private readonly logged = new Set<string>();

  constructor(
    clock: Clock,
    private readonly perMinute: number,
  ) {
    this.minute = new Window(clock, MINUTE_MS);
  }

  /** True iff no more of it is looked at in this minute. */
  tooMany(key: string): boolean {
    this.turn();
    return (this.counts.get(key) ?? 0) >= this.perMinute;
  }

  count(key: string): void {
    this.turn();
    const known = this.counts.get(key);
    if (known !== undefined || this.counts.size < MOST_KEYS) this.counts.set(key, (known ?? 0) + 1);
  }

  /** True once per address: the refusal is worth a line. */
  worthLogging(address: string): boolean {
    if (this.logged.has(address) || this.logged.size >= MOST_KEYS) return false;
    this.logged.add(address);
    return true;
  }

  private turn(): void {
    if (this.minute.turned()) this.counts.clear();
  }
}
