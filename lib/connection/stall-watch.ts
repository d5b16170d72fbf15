import type { Clock, Timer } from '../time/index.js';
import type { Traffic } from './message-socket.js';

/** How often the progress is looked at, in parts of the time without progress that is allowed. */
const LOOKS = 4;

/** Bytes in flight that have that time together; more of them, in one large frame, have the more time. */
const BYTES_OF_ONE_TIME = 1024 * 1024;

/** So many times as long a peer is waited for that sends: it is there, its link may be slow. */
const TIMES_IF_HEARD = 16;

export interface StallWatchPorts {
  readonly clock: Clock;
  /** `intervals.writeTimeoutMs`. */
  readonly timeoutMs: number;
  /** Bytes that are being written. */
  readonly inFlight: () => number;
  /** What has moved so far; undefined where that is not known. */
  readonly traffic: () => Traffic | undefined;
  readonly onStall: () => void;
}

/**
 * Finds out that writing makes no progress (wire spec §8, B04). Looks are counted, not milliseconds: a process that
 * slept sees one look pass, however long it was. It is progress that the system took something. 16 MiB in one frame
 * get 16 times the time: a socket may tell of whole frames only, and from a slow link the system takes nothing for
 * seconds, then a megabyte or two. A peer from which anything comes meanwhile has as much: its credits and answers tell
 * that it reads. No more than that, for one that asks and never reads sends too. There is a timer only while something
 * is being written.
 */
export class StallWatch {
  private timer: Timer | undefined = undefined;
  private progressed = false;
  /** In a row, since the last progress. */
  private idleLooks = 0;
  /** Of these, those since the peer was heard. */
  private silentLooks = 0;
  private traffic: Traffic | undefined = undefined;

  constructor(private readonly ports: StallWatchPorts) {}

  /** A write begins. */
  begin(): void {
    if (this.timer) return;
    this.idleLooks = 0;
    this.silentLooks = 0;
    this.progressed = false;
    this.traffic = this.ports.traffic();
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
    const before = this.traffic;
    this.traffic = this.ports.traffic();
    const progressed = this.progressed || this.traffic?.taken !== before?.taken;
    const heard = progressed || this.traffic?.read !== before?.read;
    this.idleLooks = progressed ? 0 : this.idleLooks + 1;
    this.silentLooks = heard ? 0 : this.silentLooks + 1;
    this.progressed = false;
    const most = LOOKS * Math.max(1, inFlight / BYTES_OF_ONE_TIME);
    if (this.silentLooks >= most || this.idleLooks >= TIMES_IF_HEARD * most) this.ports.onStall();
    else this.arm();
  }
}
