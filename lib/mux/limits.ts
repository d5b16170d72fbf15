/** What a peer can make grow in a mux, and the caps (names, units and defaults: `limits` in docs/OPTIONS.md). */
export interface MuxLimits {
  /** Largest payload in bytes, either direction. */
  readonly messageBytes: number;
  /**
   * Bytes of messages taken and not yet written. Past it the outbox is congested: calls are refused. A payload has at
   * most three quarters of it, and answers are refused that would make more wait than it and so much: what is small has
   * the rest of twice as much, where the connection ends.
   */
  readonly queuedBytes: number;
  /** Streams that the peer started and that are open, or whose handler has not really ended yet. */
  readonly openStreams: number;
  /** Single requests of the peer whose handler has not really ended yet. */
  readonly runningRequests: number;
  /**
   * Bytes of the peer's calls that are not let go: payloads and metadata of unfinished handlers, unread input. Each
   * message that waits counts 256 more, each entry of metadata 64. All calls together. As much again of messages to the
   * peer may wait for its credits.
   */
  readonly heldBytes: number;
  /** Bytes received and not consumed, per call; each message that waits counts 256 more. */
  readonly unreadBytes: number;
  /** Messages received and not consumed, per call, where no capacity is known. */
  readonly unreadMessages: number;
  /** Cancels per second of calls just opened (rapid reset); past half of them our own wait. */
  readonly cancelsPerSecond: number;
  /** Largest metadata of an opening message in bytes, as encoded, either direction. */
  readonly metadataBytes: number;
  /** Largest error text in bytes that is sent; longer ones are cut. */
  readonly errorTextBytes: number;
}

/** The mux's clocks (wire spec §5, §8), all in milliseconds. */
export interface MuxIntervals {
  /** Deadline of a request whose caller gave none: 60 s. */
  readonly requestTimeoutMs: number;
  /** A caller pings a stream this often: 15 s. It gives up when the last sign of life is older than two of them. */
  readonly streamPingMs: number;
  /** The handler side gives a stream up that was not pinged for this long: 60 s. */
  readonly streamSilenceMs: number;
  /** A stream whose both directions have had no credit for this long is told of: 30 s. */
  readonly blockedStreamMs: number;
}
