import type { MuxIntervals, MuxLimits } from '../mux/index.js';

/** What a peer can make grow in a connection, and the caps (units and defaults: `limits` in docs/OPTIONS.md). */
export interface ConnectionLimits extends MuxLimits {
  /** Largest WebSocket message in bytes: accepted up to it, announced as `Max` (wire spec §11). Past it: close 1009. */
  readonly frameBytes: number;
  /** Messages in one Merged, either direction. Received past it: close 1002. */
  readonly frameMessages: number;
  /** From the handover of the socket to the end of the handshake, in milliseconds. */
  readonly handshakeMs: number;
  /** Pings of the connection itself that the peer may send in a second. Past it: close 1008. */
  readonly pingsPerSecond: number;
}

/** The connection's clocks (wire spec §8), all in milliseconds. */
export interface ConnectionIntervals extends MuxIntervals {
  /** Each side pings this often: 10 s. The connection ends when the last pong is older than two of them. */
  readonly pingMs: number;
  /** Writing may make no progress for this long: 4 s, for each MiB where more is in flight. */
  readonly writeTimeoutMs: number;
}
