import { Controller } from '@nestjs/common';
import { defineRequest, GridRequest } from 'nestjs-grid';

export const Lock = defineRequest<string, boolean>({ id: 52, name: 'lock' });

@Controller()
export class LockController {
  private readonly held = new Set<string>();

  /** Answers on the grid for locks... */
  @GridRequest(Lock, { grid: 'locks' })
  lock(name: string): boolean {
    if (this.held.has(name)) return false;
    this.held.add(name);
    return true;
  }

  /** ...and, to compare, on the one for everything. */
  @GridRequest(Lock)
  lockBehindBulk(name: string): boolean {
    return this.lock(name);
  }
}
