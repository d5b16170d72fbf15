import type { GridLogger } from '../observe/index.js';
import type { Clock } from '../time/index.js';

/** A wait for a grid that has not started by then is told of. */
const UNSTARTED_MS = 5_000;

export interface StartWatchPorts {
  readonly clock: Clock;
  readonly logger: GridLogger;
  readonly started: () => boolean;
  /** What it takes to start the grid. */
  readonly advice: () => string;
}

/** Whether a grid has started, for those who wait for its connections. */
export class StartWatch {
  private told = false;

  constructor(private readonly ports: StartWatchPorts) {}

  get started(): boolean {
    return this.ports.started();
  }

  /** What is wrong with a wait while the grid has not started. */
  get text(): string {
    return `waitForConnect() waits for a grid that has not started: ${this.ports.advice()}`;
  }

  /** Tells of a wait that is still there after a while, once a grid; the returned function ends that. */
  begin(): () => void {
    const timer = this.ports.clock.setTimer(UNSTARTED_MS, () => {
      if (this.told || this.started) return;
      this.told = true;
      this.ports.logger.warn(this.text);
    });
    return () => timer.cancel();
  }
}
