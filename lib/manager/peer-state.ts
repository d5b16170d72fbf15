/**
 * How it stands with a peer.
 * - `connecting`: no connection so far.
 * - `connected`: calls can be made, but to a host that is shutting down: it counts as connected until it has gone.
 * - `disconnected`: the connection was lost; the dialer of the two dials on.
 * - `closed`: this grid was closed.
 */
export type PeerState = 'connecting' | 'connected' | 'disconnected' | 'closed';

/** How long `waitForConnect` waits. */
export interface WaitOptions {
  /** Ends the wait with CANCELLED, a signal of `AbortSignal.timeout()` with DEADLINE_EXCEEDED. */
  readonly signal?: AbortSignal;
  /** Milliseconds, by which the wait ends with DEADLINE_EXCEEDED. Default: none. */
  readonly timeoutMs?: number;
}
