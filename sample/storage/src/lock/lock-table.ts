import { GridError } from 'nestjs-grid';
import type { LockAnswer } from '../contracts.js';

export type LockKind = 'write' | 'read';

interface Hold {
  readonly kind: LockKind;
  readonly owner: string;
  /** By the table's clock: free from then on, unless refreshed. */
  until: number;
}

/** What one resource is about. */
interface Entry {
  /** By uid. */
  readonly holds: Map<string, Hold>;
  /** Until then no new reader comes in: a writer was refused because of readers, and is about to ask again. */
  writerComes: { readonly owner: string; readonly until: number } | undefined;
}

const MOST_RESOURCES = 100_000;
/** Longer than a waiting writer pauses, or readers that come one after the other would keep it out for ever. */
const WRITER_COMES_MS = 300;

/**
 * One node's votes: which holds it has granted. It never asks anyone; that a lock is held is what a quorum of such
 * tables says. A hold that is not refreshed for `ttlMs` is gone, so a holder that died blocks nobody for longer.
 */
export class LockTable {
  private readonly entries = new Map<string, Entry>();
  private readonly votesFrom: number;

  /**
   * @param silentMs The table grants nothing for this long. One that was there before and forgot must wait for
   * `ttlMs`: until then somebody may hold a lock by a vote that it gave in its former life.
   */
  constructor(
    private readonly ttlMs: number,
    private readonly now: () => number = () => performance.now(),
    silentMs = 0,
  ) {
    this.votesFrom = now() + silentMs;
  }

  /** How many holds are known, expired ones that nobody asked about included. */
  get size(): number {
    let sum = 0;
    for (const { holds } of this.entries.values()) sum += holds.size;
    return sum;
  }

  /** Asking twice with the same uid is asking once. */
  acquire(kind: LockKind, resource: string, uid: string, owner: string): LockAnswer {
    if (this.now() < this.votesFrom) {
      throw new GridError('UNAVAILABLE', 'this node has just started and does not vote yet');
    }
    const entry = this.live(resource) ?? this.enter(resource);
    for (const [other, hold] of entry.holds) {
      if (other === uid || (kind === 'read' && hold.kind === 'read')) continue;
      if (hold.kind === 'read') entry.writerComes = { owner, until: this.now() + WRITER_COMES_MS };
      return { granted: false, heldBy: hold.owner };
    }
    if (kind === 'read' && entry.writerComes && !entry.holds.has(uid)) {
      return { granted: false, heldBy: entry.writerComes.owner };
    }
    if (kind === 'write') entry.writerComes = undefined;
    entry.holds.set(uid, { kind, owner, until: this.now() + this.ttlMs });
    return { granted: true };
  }

  /** False: there is no such hold. */
  release(kind: LockKind, resource: string, uid: string): boolean {
    const holds = this.live(resource)?.holds;
    if (holds?.get(uid)?.kind !== kind) return false;
    holds.delete(uid);
    this.live(resource);
    return true;
  }

  /** Prolongs a hold. False: it expired or was forced open, and its holder must not go on. */
  refresh(resource: string, uid: string): boolean {
    const hold = this.live(resource)?.holds.get(uid);
    if (!hold) return false;
    hold.until = this.now() + this.ttlMs;
    return true;
  }

  /** Drops all holds of a resource, whoever has them, and says how many there were. */
  forceRelease(resource: string): number {
    const dropped = this.live(resource)?.holds.size ?? 0;
    this.entries.delete(resource);
    return dropped;
  }

  /** Forgets what expired on resources that nobody asks for any more. */
  sweep(): void {
    for (const resource of [...this.entries.keys()]) this.live(resource);
  }

  /** The entry without what expired; undefined when nothing is left of it. */
  private live(resource: string): Entry | undefined {
    const entry = this.entries.get(resource);
    if (!entry) return undefined;
    const now = this.now();
    for (const [uid, { until }] of entry.holds) if (until <= now) entry.holds.delete(uid);
    if (entry.writerComes && entry.writerComes.until <= now) entry.writerComes = undefined;
    if (entry.holds.size > 0 || entry.writerComes) return entry;
    this.entries.delete(resource);
    return undefined;
  }

  private enter(resource: string): Entry {
    if (this.entries.size >= MOST_RESOURCES) {
      throw new GridError('RESOURCE_EXHAUSTED', `${MOST_RESOURCES} locks are held on this node`);
    }
    const entry: Entry = { holds: new Map(), writerComes: undefined };
    this.entries.set(resource, entry);
    return entry;
  }
}
