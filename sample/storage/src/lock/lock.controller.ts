import { Controller } from '@nestjs/common';
import { GridRequest } from 'nestjs-grid';
import { ForceUnlock, Lock, LOCK_GRID, Refresh, RLock, RUnlock, Unlock } from '../contracts.js';
import type {
  ForceUnlockAnswer,
  ForceUnlockRequest,
  HoldAnswer,
  HoldRequest,
  LockAnswer,
  LockRequest,
} from '../contracts.js';
import { LockTable } from './lock-table.js';

/** This node's vote on locks. */
@Controller()
export class LockController {
  constructor(private readonly table: LockTable) {}

  @GridRequest(Lock, { grid: LOCK_GRID })
  lock({ resource, uid, owner }: LockRequest): LockAnswer {
    return this.table.acquire('write', resource, uid, owner);
  }

  @GridRequest(RLock, { grid: LOCK_GRID })
  rLock({ resource, uid, owner }: LockRequest): LockAnswer {
    return this.table.acquire('read', resource, uid, owner);
  }

  @GridRequest(Unlock, { grid: LOCK_GRID })
  unlock({ resource, uid }: HoldRequest): HoldAnswer {
    return { held: this.table.release('write', resource, uid) };
  }

  @GridRequest(RUnlock, { grid: LOCK_GRID })
  rUnlock({ resource, uid }: HoldRequest): HoldAnswer {
    return { held: this.table.release('read', resource, uid) };
  }

  @GridRequest(Refresh, { grid: LOCK_GRID })
  refresh({ resource, uid }: HoldRequest): HoldAnswer {
    return { held: this.table.refresh(resource, uid) };
  }

  @GridRequest(ForceUnlock, { grid: LOCK_GRID })
  forceUnlock({ resource }: ForceUnlockRequest): ForceUnlockAnswer {
    return { dropped: this.table.forceRelease(resource) };
  }
}
