import type { Clock, Timer } from '../time/index.js';
import type { MuxId } from '../wire/index.js';
import { CancelRate, JUST_MS, type OpenedCall } from './cancel-rate.js';

/** How often it is looked who has waited long enough. */
const LOOK_MS = JUST_MS / 4;

/**
 * The cancels of our calls. A peer takes too many of calls just opened for an attack, and ends the connection with all
 * other calls on it; one signal may well cancel that many, and so may who takes the first item of each of many streams.
 * Those past half of the number that this host itself would bear (the peer's seconds begin at other times) wait until
 * their calls are too old to be counted: some handlers run a second longer for nobody.
 */
export class CancelLine {
  private readonly rate: CancelRate;
  /** When the calls were opened whose cancels wait. */
  private readonly waiting = new Map<MuxId, number>();
  private timer: Timer | undefined = undefined;

  constructor(
    private readonly clock: Clock,
    cancelsPerSecond: number,
    private readonly send: (muxId: MuxId) => void,
  ) {
    this.rate = new CancelRate(clock, Math.max(1, Math.floor(cancelsPerSecond / 2)));
  }

  /** Tells the peer, now or soon, that nobody waits for the call any more. */
  cancel(muxId: MuxId, call: OpenedCall): void {
    if (!this.rate.exceededBy(call)) {
      this.send(muxId);
      return;
    }
    this.waiting.set(muxId, call.openedAt);
    if (!this.timer) this.arm();
  }

  /** The peer will be told of this call. */
  has(muxId: MuxId): boolean {
    return this.waiting.has(muxId);
  }

  /** Its handler has ended meanwhile: there is nothing to tell. */
  forget(muxId: MuxId): void {
    if (this.waiting.delete(muxId) && this.waiting.size === 0) this.clear();
  }

  /** Nobody is told any more, as where the connection has ended. */
  clear(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.waiting.clear();
  }

  private arm(): void {
    this.timer = this.clock.setTimer(LOOK_MS, () => this.look());
  }

  private look(): void {
    this.timer = undefined;
    // the peer got each of them later than it was opened
    const oldest = this.clock.now() - JUST_MS - LOOK_MS;
    for (const [muxId, openedAt] of this.waiting) {
      if (openedAt > oldest) continue;
      this.waiting.delete(muxId);
      this.send(muxId);
    }
    if (this.waiting.size > 0) this.arm();
  }
}
