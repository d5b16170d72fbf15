import type { GridPeer } from 'nestjs-grid';
import { ForceUnlock, Lock, Refresh, RLock, RUnlock, Unlock, type LockAnswer } from '../contracts.js';
import type { LockKind } from './lock-table.js';

/** One node's lock table, as a holder sees it. */
export interface Voter {
  acquire(kind: LockKind, resource: string, uid: string): Promise<LockAnswer>;
  release(kind: LockKind, resource: string, uid: string): Promise<boolean>;
  refresh(resource: string, uid: string): Promise<boolean>;
  forceRelease(resource: string): Promise<number>;
}

/** A vote that takes longer counts as none. */
const VOTE_WITHIN_MS = 2_000;
const LIMIT = { timeoutMs: VOTE_WITHIN_MS };

/** A node's lock table over the grid of the locks. */
export class RemoteVoter implements Voter {
  constructor(
    private readonly peer: GridPeer,
    private readonly owner: string,
  ) {}

  acquire(kind: LockKind, resource: string, uid: string): Promise<LockAnswer> {
    return this.peer.request(kind === 'write' ? Lock : RLock, { resource, uid, owner: this.owner }, LIMIT);
  }

  async release(kind: LockKind, resource: string, uid: string): Promise<boolean> {
    return (await this.peer.request(kind === 'write' ? Unlock : RUnlock, { resource, uid }, LIMIT)).held;
  }

  async refresh(resource: string, uid: string): Promise<boolean> {
    return (await this.peer.request(Refresh, { resource, uid }, LIMIT)).held;
  }

  async forceRelease(resource: string): Promise<number> {
    return (await this.peer.request(ForceUnlock, { resource }, LIMIT)).dropped;
  }
}
