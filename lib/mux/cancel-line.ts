import type { Clock, Timer } from '../time/index.js';
import type { MuxId } from '../wire/index.js';
import type { Arrivals } from './arrivals.js';
import { JUST_MS, justMs, type OpenedCall } from './cancel-rate.js';

/** How often it is looked who has waited long enough. */
const LOOK_MS = JUST_MS / 4;

/** From this part of `most` on the peer is asked what has come: in time, so that who cancels fewer never waits. */
const PROBED_SHARE = 1 / 8;

/**
 * The cancels of our calls. A peer takes too many of calls just opened for an attack, and ends the connection with all
 * other calls on it; one signal may well cancel that many, and so may who takes the first item of each of many streams,
 * or deadlines that pass while the peer stands still. Those past half of the number that this host itself would bear
 * (the peer's seconds begin at other times) wait until their calls are too old to be counted: some handlers run a
 * second longer for nobody. What the peer takes for new is told by its pongs.
 */
export class CancelLine {
  /** Of calls just opened so many are cancelled at once. */
  private readonly most: number;
  /** Those that the peer may count together: sent before the probe, and since. */
  private before = 0;
  private since = 0;
  /** When the last probe was sent, until all before it is so long ago for the peer that it counts anew. */
  private probedAt: number | undefined = undefined;
  /** When the calls were opened whose cancels wait. */
  private readonly waiting = new Map<MuxId, number>();
  private timer: Timer | undefined = undefined;

  constructor(
    private readonly clock: Clock,
    cancelsPerSecond: number,
    private readonly arrivals: Arrivals,
    private readonly send: (muxId: MuxId) => void,
  ) {
    this.most = Math.max(1, Math.floor(cancelsPerSecond / 2));
  }

  /** Tells the peer, now or soon, that nobody waits for the call any more. */
  cancel(muxId: MuxId, call: OpenedCall): void {
    const now = this.clock.now();
    const young = this.arrivals.age(call.openedAt, now) < justMs(call);
    if (young) this.renew(now);
    if (!young || this.before + this.since < this.most) {
      if (young) this.since++;
      this.send(muxId);
    } else {
      this.waiting.set(muxId, call.openedAt);
      if (!this.timer) this.arm();
    }
    if (young && this.before + this.since >= PROBED_SHARE * this.most) this.probe(now);
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
    const now = this.clock.now();
    this.renew(now);
    for (const [muxId, openedAt] of this.waiting) {
      if (this.arrivals.age(openedAt, now) < JUST_MS + LOOK_MS) continue;
      this.waiting.delete(muxId);
      this.send(muxId);
    }
    if (this.waiting.size === 0) return;
    this.probe(now);
    this.arm();
  }

  private probe(now: number): void {
    if (this.probedAt !== undefined) return;
    this.probedAt = now;
    this.before += this.since;
    this.since = 0;
    this.arrivals.probe();
  }

  private renew(now: number): void {
    if (this.probedAt === undefined || this.arrivals.age(this.probedAt, now) < JUST_MS) return;
    this.probedAt = undefined;
    this.before = 0;
  }
}
