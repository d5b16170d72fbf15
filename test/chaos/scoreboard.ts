import { monotonic } from './monotonic.js';
import type { Operation } from './operation.js';

/** What clients got, in numbers. */
export class Scoreboard {
  /** By kind, then by outcome. */
  readonly counts = new Map<string, Map<string, number>>();
  /** Why operations failed, without what differs from one to the next. */
  readonly errors = new Map<string, number>();
  total = 0;
  private readonly lastGood = new Map<'write' | 'read', number>();
  private readonly longestGap = new Map<'write' | 'read', number>();

  count(operation: Operation): void {
    this.total++;
    const outcomes = this.counts.get(operation.kind) ?? new Map<string, number>();
    this.counts.set(operation.kind, outcomes);
    outcomes.set(operation.outcome, (outcomes.get(operation.outcome) ?? 0) + 1);
    if (operation.error !== undefined) {
      const text = operation.error.replaceAll(/\d+|kept\/|hot\/|passing\/|lock\/./g, '#').slice(0, 100);
      this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
    }
    if (operation.kind === 'put' && operation.outcome === 'ok') this.good('write', operation.end);
    if (operation.kind === 'get' && operation.outcome !== 'failed') this.good('read', operation.end);
  }

  /** From here on it is looked at how long nothing succeeds. */
  begin(): void {
    for (const what of ['write', 'read'] as const) this.lastGood.set(what, monotonic());
  }

  /** The load is over. */
  end(): void {
    for (const what of ['write', 'read'] as const) this.good(what, monotonic());
    this.lastGood.clear();
  }

  /** The longest time in which no write, and no read, of any client through any node succeeded. */
  longestUnavailable(): Readonly<Record<'write' | 'read', number>> {
    return { write: this.longestGap.get('write') ?? 0, read: this.longestGap.get('read') ?? 0 };
  }

  private good(what: 'write' | 'read', at: number): void {
    const last = this.lastGood.get(what);
    if (last === undefined) return;
    const gap = at - last;
    this.lastGood.set(what, at);
    this.longestGap.set(what, Math.max(gap, this.longestGap.get(what) ?? 0));
  }
}
