import type { CallDirection } from '../observe/index.js';
import { Turn } from '../time/index.js';
import type { CallPorts } from './call-ports.js';
import type { Inbound } from './inbound.js';
import type { Outbound } from './outbound.js';

/** A stream as it is when it is looked at. */
export interface StreamLook {
  readonly direction: CallDirection;
  readonly handler: number;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  /** Grows with each message that this end sends and each that its reader takes. */
  readonly moves: number;
}

export interface WatchedStream {
  /** @internal */
  look(): StreamLook;
}

/**
 * Looks now and then at a stream with messages both ways. Both directions without a credit at two looks in a row, and
 * nothing sent or taken in between: each end waits for the other to read, for ever as it seems. That is told once. Only
 * what is there anyhow is looked at: no message costs anything for it.
 */
export class BlockWatch extends Turn {
  private movesThen: number | undefined = undefined;

  constructor(
    private readonly ports: CallPorts,
    private readonly stream: WatchedStream,
  ) {
    super();
    ports.blockWatches.add(this);
  }

  stop(): void {
    this.ports.blockWatches.remove(this);
  }

  /** Its turn has come, `intervals.blockedStreamMs` after the last one. */
  look(): void {
    const { direction, handler, inbound, outbound, moves } = this.stream.look();
    const stuck = inbound.full && outbound.starved;
    if (stuck && this.movesThen === moves) {
      this.ports.observer.streamBlocked({
        direction,
        handler,
        forMs: this.ports.intervals.blockedStreamMs,
        unreadHere: inbound.available,
        unreadThere: outbound.unacknowledged,
      });
      return;
    }
    this.movesThen = stuck ? moves : undefined;
    this.ports.blockWatches.add(this);
  }
}
