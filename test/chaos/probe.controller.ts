import { randomUUID } from 'node:crypto';
import { Controller, Get, Inject, Post, Query } from '@nestjs/common';
import { Locks } from '../../sample/storage/src/lock/locks.js';
import { finalizeGarbage } from '../garbage.js';
import { lasts } from '../pace.js';
import type { CallTap } from './call-tap.js';
import { Journal } from './journal.js';
import { monotonic } from './monotonic.js';
import { TurnedClock } from './turned-clock.js';

export const CALL_TAPS = Symbol('CALL_TAPS');
/** A holder makes sure this often. */
const CHECK_EVERY_MS = 15;

/** What a process holds when it has nothing to do. */
export interface Holdings {
  /** After a collection, in bytes. */
  readonly heapUsed: number;
  /** Kinds of handles that keep the process alive, with their numbers. */
  readonly resources: Readonly<Record<string, number>>;
  /** Calls that this node made and that are not over, on both grids. */
  readonly openCalls: number;
}

/** How a test looks into a node, turns its clock and lets it hold a lock. */
@Controller('chaos')
export class ProbeController {
  constructor(
    @Inject(CALL_TAPS) private readonly taps: readonly CallTap[],
    private readonly clock: TurnedClock,
    private readonly journal: Journal,
    private readonly locks: Locks,
  ) {}

  @Get('holdings')
  async holdings(): Promise<Holdings> {
    // what the first collection finalizes, the second one frees
    for (let round = 0; round < 2; round++) await finalizeGarbage();
    const resources: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
    const openCalls = this.taps.reduce((sum, { open }) => sum + open, 0);
    return { heapUsed: process.memoryUsage().heapUsed, resources, openCalls };
  }

  @Post('clock')
  step(@Query('ms') ms: string): { stepMs: number } {
    this.clock.stepMs = Number(ms);
    return { stepMs: this.clock.stepMs };
  }

  /** Holds a lock for so long, or until it is lost; writes down each time at which it was sure to hold it. */
  @Post('lock')
  async lock(
    @Query('resource') resource: string,
    @Query('kind') kind: 'write' | 'read',
    @Query('ms') ms: string,
  ): Promise<{ held: boolean }> {
    const held = await this.locks.acquire(kind, resource);
    const uid = randomUUID();
    const until = monotonic() + Number(ms);
    try {
      do {
        // the time before the check: what the check says was so then, however long the process sleeps after it
        const at = monotonic();
        held.check();
        this.journal.note('l', resource, uid, kind, at.toFixed(3));
        await lasts(CHECK_EVERY_MS);
      } while (monotonic() < until);
      return { held: true };
    } catch {
      return { held: false };
    } finally {
      held.release();
    }
  }
}
