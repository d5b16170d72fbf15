import type { Clock, Timer } from '../time/index.js';
import type { MuxId } from '../wire/index.js';
import { CancelRate, JUST_MS, type OpenedCall } from './cancel-rate.js';

/** How often it is looked who has waited long enough. */
const LOOK_MS = JUST_MS / 4;

interface WaitingCancel {
  readonly muxId: MuxId;
  readonly openedAt: number;
}

/**
 * The cancels of our requests. A peer takes too many of calls just opened for an attack, and ends the connection with
 * all other calls on it; one signal may well cancel that many. Those past half of the number that this host itself
 * would bear (the peer's seconds begin at other times) wait until their calls are too old to be counted: some handlers
 * run a second longer for nobody.
 */
export class CancelLine {
  private readonly rate: CancelRate;
  private waiting: WaitingCancel[] = [];
  private timer: Timer | undefined = undefined;

  constructor(
    private readonly clock: Clock,
    cancelsPerSecond: number,
    private readonly send: (muxId: MuxId) => void,
  ) {
    this.rate = new CancelRate(clock, Math.max(1, Math.floor(cancelsPerSecond / 2)));
  }

  /** Tells the peer, now or soon, that nobody waits for the answer any more. */
  cancel(muxId: MuxId, call: OpenedCall): void {
    if (!this.rate.exceededBy(call)) {
      this.send(muxId);
      return;
    }
    this.waiting.push({ muxId, openedAt: call.openedAt });
    if (!this.timer) this.arm();
  }

  /** The connection has ended. */
  clear(): void {
    this.timer?.cancel();
    this.waiting = [];
  }

  private arm(): void {
    this.timer = this.clock.setTimer(LOOK_MS, () => this.look());
  }

  private look(): void {
    this.timer = undefined;
    // the peer got each of them later than it was opened
    const oldest = this.clock.now() - JUST_MS - LOOK_MS;
    const young: WaitingCancel[] = [];
    for (const call of this.waiting) {
      if (call.openedAt > oldest) young.push(call);
      else this.send(call.muxId);
    }
    this.waiting = young;
    if (young.length > 0) this.arm();
  }
}
