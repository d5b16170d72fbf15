import { Inject, Injectable, Logger } from '@nestjs/common';
import { Grid, InjectGrid } from 'nestjs-grid';
import { LOCK_GRID } from '../contracts.js';
import { localOrigin, NODE_CONFIG, originOf, type NodeConfig } from '../node/node-config.js';
import { rank } from '../objects/placement.js';
import { QuorumLock, type HeldLock } from './quorum-lock.js';
import type { LockKind } from './lock-table.js';
import { RemoteVoter } from './voter.js';

/** Longer than a lock outlives its dead holder, so that a waiter gets it in the end. */
const WAIT_FOR_TTLS = 3;

/** Locks on object keys, across all nodes. */
@Injectable()
export class Locks {
  private readonly logger = new Logger(Locks.name);
  private readonly lock: QuorumLock;
  private readonly waitMs: number;
  private readonly nodes: number;

  constructor(@InjectGrid(LOCK_GRID) grid: Grid, @Inject(NODE_CONFIG) config: NodeConfig) {
    const voters = config.hosts.map(
      (_, node) => new RemoteVoter(grid.peer(originOf(config, node)), localOrigin(config)),
    );
    this.lock = new QuorumLock(voters, {
      ttlMs: config.lockTtlMs,
      onUnreleased: (key, error) => this.logger.debug(`a node keeps its lock on ${key} for now: ${error.message}`),
    });
    this.waitMs = config.lockTtlMs * WAIT_FOR_TTLS;
    this.nodes = voters.length;
  }

  /** Runs `work` under the lock. `work` checks the lock before what it cannot undo: it may be lost meanwhile. */
  async under<T>(kind: LockKind, key: string, work: (held: HeldLock) => Promise<T>): Promise<T> {
    const held = await this.acquire(kind, key);
    try {
      return await work(held);
    } finally {
      held.release();
    }
  }

  /** The caller must release it. */
  acquire(kind: LockKind, key: string): Promise<HeldLock> {
    return this.lock.acquire(kind, key, rank(key, this.nodes), this.waitMs);
  }

  /** Breaks the locks of a key, for an operator who knows that their holder is gone for good. */
  forceRelease(key: string): Promise<number> {
    return this.lock.forceRelease(key);
  }
}
