import type { Violation } from './violation.js';

/** At this time the holder was sure to have the lock. */
export interface LockSight {
  readonly resource: string;
  /** Of one hold. */
  readonly uid: string;
  readonly kind: 'write' | 'read';
  readonly at: number;
}

interface Hold {
  readonly uid: string;
  readonly kind: LockSight['kind'];
  from: number;
  to: number;
  /** That it was not alone, and once is enough. */
  told: boolean;
}

/** A hold that was not seen for this long is looked at no more: no journal is read so late. */
const KEPT_MS = 120_000;

/**
 * Nobody is sure to have a lock while a writer is. From the first to the last sight of a hold it was held all the time,
 * so no sight of another may lie in between unless both read. Sights may come in any order.
 */
export class LockChecker {
  readonly violations: Violation[] = [];
  sights = 0;
  /** By resource. */
  private readonly holds = new Map<string, Hold[]>();

  saw({ resource, uid, kind, at }: LockSight): void {
    this.sights++;
    const holds = (this.holds.get(resource) ?? []).filter(({ to }) => at - to < KEPT_MS);
    this.holds.set(resource, holds);
    let own = holds.find((hold) => hold.uid === uid);
    if (!own) holds.push((own = { uid, kind, from: at, to: at, told: false }));
    own.from = Math.min(own.from, at);
    own.to = Math.max(own.to, at);
    for (const other of holds) {
      if (other === own || (other.kind === 'read' && kind === 'read')) continue;
      if (other.from <= own.to && own.from <= other.to && !own.told) {
        own.told = true;
        const promise = `the lock ${resource} was held by two at once`;
        this.violations.push({ promise, piece: [{ ...other }, { ...own }] });
      }
    }
  }
}
