import { Window, type Clock } from '../time/index.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Addresses, and hosts behind them, that are counted in one minute. */
const MOST_KEYS = 1_000;
/** Refusals that are logged in one hour. */
const MOST_LINES = 100;

/** Whose refusals count together: those of an address, or of a host behind it, once its name is proven. */
export function refusalKeyOf(remoteAddress = '', host?: string): string {
  return host === undefined ? remoteAddress : `${remoteAddress} ${host}`;
}

/**
 * Counts refusals by address and proven host, so that who is refused again and again costs little. Past `MOST_KEYS`
 * the others are not counted: each of them costs the look at its token, but strangers with many addresses must not use
 * up what hosts are let in by.
 */
export class Refusals {
  private readonly minute: Window;
  private readonly counts = new Map<string, number>();
  private readonly hour: Window;
  private readonly logged = new Set<string>();

  constructor(
    clock: Clock,
    private readonly perMinute: number,
  ) {
    this.minute = new Window(clock, MINUTE_MS);
    this.hour = new Window(clock, HOUR_MS);
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

  /** True once an hour per address (wire spec §3): the refusal is worth a line. */
  worthLogging(address: string): boolean {
    if (this.hour.turned()) this.logged.clear();
    if (this.logged.has(address) || this.logged.size >= MOST_LINES) return false;
    this.logged.add(address);
    return true;
  }

  private turn(): void {
    if (this.minute.turned()) this.counts.clear();
  }
}
