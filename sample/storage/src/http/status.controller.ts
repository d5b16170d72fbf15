import { Controller, Delete, Get, UseFilters } from '@nestjs/common';
import { Grid, InjectGrid, type GridStats } from 'nestjs-grid';
import { LOCK_GRID, type DiskInfoAnswer } from '../contracts.js';
import { Disks } from '../disk/disks.js';
import { Deployment } from '../format/deployment.js';
import { HealSchedule, type HealStatus } from '../heal/heal-schedule.js';
import { Locks } from '../lock/locks.js';
import { ObjectErrorsFilter } from './object-errors.filter.js';
import { ObjectKey } from './object-key.js';

/** For the operator. */
@Controller()
@UseFilters(ObjectErrorsFilter)
export class StatusController {
  constructor(
    @InjectGrid() private readonly data: Grid,
    @InjectGrid(LOCK_GRID) private readonly locking: Grid,
    private readonly everyDisk: Disks,
    private readonly deployment: Deployment,
    private readonly healing: HealSchedule,
    private readonly locks: Locks,
  ) {}

  @Get('health')
  health(): { deployment: string | null; heal: HealStatus } {
    return { deployment: this.deployment.id ?? null, heal: this.healing.status };
  }

  /** How full each node's disk is, asked over the grid; what does not answer says why. */
  @Get('disks')
  async disks(): Promise<(DiskInfoAnswer | { node: number; error: string })[]> {
    const answers = await Promise.allSettled(this.everyDisk.all.map((disk) => disk.info()));
    return answers.map((answer, node) =>
      answer.status === 'fulfilled' ? answer.value : { node, error: (answer.reason as Error).message },
    );
  }

  /** What both grids counted since the start. */
  @Get('stats')
  stats(): { data: GridStats; locks: GridStats } {
    return { data: this.data.stats(), locks: this.locking.stats() };
  }

  /** Breaks the lock of a key. Only for a holder that is known to be gone: it is not asked. */
  @Delete('locks/*key')
  async forceUnlock(@ObjectKey() key: string): Promise<{ nodes: number }> {
    return { nodes: await this.locks.forceRelease(key) };
  }
}
