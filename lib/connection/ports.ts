import type { GridError } from '../errors/index.js';
import type { HandlerDirectory, PeerLoad } from '../mux/index.js';
import type { ConnectionObserver } from '../observe/index.js';
import type { Clock } from '../time/index.js';
import type { Extension } from '../wire/index.js';
import type { ConnectionIntervals, ConnectionLimits } from './limits.js';

/** What every connection of one grid is given. */
export interface ConnectionPorts {
  readonly clock: Clock;
  readonly observer: ConnectionObserver;
  readonly handlers: HandlerDirectory;
  readonly limits: ConnectionLimits;
  readonly intervals: ConnectionIntervals;
  /** What this host can do of wire spec §11. Empty: the bytes of the handshake are exactly v1. */
  readonly extensions: readonly Extension[];
  /** Whether messages carry a CRC. `auto`: unless both hosts are `https://` or `wss://` (wire spec §2). */
  readonly crc: 'auto' | boolean;
  /** This process's random ID, 16 bytes; the peer tells a restart by it. */
  readonly localId: Uint8Array;
  /** What the peer has under way, over all of its connections. Default: each connection counts for itself. */
  readonly load?: PeerLoad | undefined;
  /** Refuses new incoming calls while it gives an error: draining. */
  readonly accepting?: () => GridError | undefined;
  /** Milliseconds that the event loop has slept so far. Default: as Node tells it. */
  readonly sleptMs?: () => number;
}
