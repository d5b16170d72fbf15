import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Grid, InjectGrid } from 'nestjs-grid';
import type { Subscription } from 'rxjs';
import { Deployment } from '../format/deployment.js';
import { NODE_CONFIG, originOf, type NodeConfig } from '../node/node-config.js';
import { Healer, type HealReport } from './healer.js';

/** A peer that came back is compared after this long, so that several that come together are one pass. */
const SETTLE_MS = 300;
const TRY_AGAIN_MS = 1_000;

export interface HealStatus {
  /** Nothing runs and nothing is due. */
  idle: boolean;
  passes: number;
  repaired: number;
  last?: HealReport;
  error?: string;
}

/**
 * Decides when to heal: after the start, whenever a node (re)appears, and every now and then, for a disk that was too
 * slow for a write was left behind without ever being away. One pass at a time.
 */
@Injectable()
export class HealSchedule implements OnApplicationShutdown {
  private readonly logger = new Logger(HealSchedule.name);
  private events: Subscription | undefined;
  private timer: NodeJS.Timeout | undefined;
  private routine: NodeJS.Timeout | undefined;
  private running = false;
  private closed = false;
  private passes = 0;
  private repaired = 0;
  private last: HealReport | undefined;
  private error: string | undefined;

  constructor(
    private readonly healer: Healer,
    private readonly deployment: Deployment,
    @InjectGrid() private readonly grid: Grid,
    @Inject(NODE_CONFIG) private readonly config: NodeConfig,
  ) {}

  get status(): HealStatus {
    const { passes, repaired, last, error } = this;
    return { idle: !this.running && this.timer === undefined && passes > 0, passes, repaired, last, error };
  }

  /** Once the deployment is agreed. */
  start(): void {
    this.events = this.grid.events.subscribe((event) => {
      if (event.type !== 'up') return;
      void this.deployment.inspect(this.config.hosts.indexOf(event.peer));
      this.due(SETTLE_MS);
    });
    this.routine = setInterval(() => {
      if (!this.timer) this.due(0);
    }, this.config.healEveryMs);
    this.due(0);
  }

  onApplicationShutdown(): void {
    this.closed = true;
    this.events?.unsubscribe();
    clearTimeout(this.timer);
    clearInterval(this.routine);
  }

  private due(delayMs: number): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      // a pass that runs may have walked past already: another one follows it
      if (this.running) this.due(SETTLE_MS);
      else void this.pass();
    }, delayMs);
  }

  private async pass(): Promise<void> {
    this.running = true;
    try {
      this.last = await this.healer.heal();
      this.error = undefined;
      this.repaired += this.last.repaired;
      this.passes++;
      // a node that is there but not ready to be compared, such as one that is just starting
      if (this.last.skipped.some(({ node }) => this.grid.peer(originOf(this.config, node)).state === 'connected')) {
        this.due(TRY_AGAIN_MS);
      }
      if (this.last.repaired > 0) {
        this.logger.log(`healed: ${this.last.repaired} of ${this.last.compared} objects fetched`);
      }
    } catch (error) {
      this.error = (error as Error).message;
      this.logger.warn(`healing was interrupted, it begins anew: ${this.error}`);
      this.due(TRY_AGAIN_MS);
    } finally {
      this.running = false;
    }
  }
}
