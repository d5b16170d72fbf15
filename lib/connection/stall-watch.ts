import type { Clock, Timer } from '../time/index.js';

/** How often the progress is looked at, in parts of the time without progress that is allowed. */
const LOOKS = 4;

/** Bytes in flight that have that time together; more of them, in one large frame, have the more time. */
const BYTES_OF_ONE_TIME = 1024 * 1024;

export interface StallWatchPorts {
  readonly clock: Clock;
  /** `intervals.writeTimeoutMs`. */
  readonly timeoutMs: number;
  /** Bytes that are being written. */
  readonly inFlight: () => number;
  /** Bytes that the system has taken so far; undefined where that is not known. */
  readonly taken: () => number | undefined;
  readonly onStall: () => void;
}

/**
 * Finds out that writing makes no progress (wire spec §8, B04). Looks are counted, not milliseconds: a process that
 * slept sees one look pass, however long it was. It is progress that the system took something. 16 MiB in one frame
 * get 16 times the time: a socket may tell of whole frames only, and from a slow link the system takes nothing for
 * seconds, then a megabyte or two. There is a timer only while something is being written.
 */
export class StallWatch {
  private timer: Timer | undefined = undefined;
  private progressed = false;
  private idleLooks = 0;
  private taken: number | undefined = undefined;

  constructor(private readonly ports: StallWatchPorts) {}

  /** A write begins. */
  begin(): void {
    if (this.timer) return;
    this.idleLooks = 0;
    this.progressed = false;
    this.taken = this.ports.taken();
    this.arm();
  }

  /** A write is done. */
  progress(): void {
    this.progressed = true;
  }

  stop(): void {
    this.timer?.cancel();
  }

  private arm(): void {
    this.timer = this.ports.clock.setTimer(this.ports.timeoutMs / LOOKS, () => this.look());
  }

  private look(): void {
    this.timer = undefined;
    const inFlight = this.ports.inFlight();
    if (inFlight === 0) return;
    const taken = this.ports.taken();
    if (taken !== this.taken) this.progressed = true;
    this.taken = taken;
    this.idleLooks = this.progressed ? 0 : this.idleLooks + 1;
    this.progressed = false;
    if (this.idleLooks >= LOOKS * Math.max(1, inFlight / BYTES_OF_ONE_TIME)) this.ports.onStall();
    else this.arm();
  }
}
