import { JUST_MS } from './cancel-rate.js';

/** What was sent up to a moment has come to the peer, and since when that is known. */
interface Arrival {
  readonly sentAt: number;
  readonly knownAt: number;
}

/**
 * What of ours the peer is known to have, by its pongs. How long ago it was sent does not tell: a peer that stood still
 * reads in one moment what was sent in many.
 */
export class Arrivals {
  /** Oldest first; one of them is older than `JUST_MS`, of those that there were. */
  private readonly heard: Arrival[] = [];

  /** `ask`: has the peer answer behind all that was sent. Without it, as in memory, what is sent has come. */
  constructor(private readonly ask: (() => void) | undefined) {}

  /** Asks whether what was sent so far has come. */
  probe(): void {
    this.ask?.();
  }

  /** What was sent up to then has come. */
  tell(sentAt: number, now: number): void {
    this.heard.push({ sentAt, knownAt: now });
    while (this.heard.length > 1 && this.heard[1]!.knownAt <= now - JUST_MS) this.heard.shift();
  }

  /** For how many milliseconds the peer has had at least what was sent then; -1: it is not known to have it. */
  age(sentAt: number, now: number): number {
    if (!this.ask) return now - sentAt;
    const arrival = this.heard.find((one) => one.sentAt >= sentAt);
    return arrival === undefined ? -1 : now - arrival.knownAt;
  }
}
