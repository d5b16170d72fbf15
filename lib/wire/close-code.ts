/** WebSocket close codes that a connection is ended with (wire spec §9). The only place where these numbers stand. */
export const CloseCode = Object.freeze({
  /** A clean end. */
  Normal: 1000,
  /** This host shuts down, or a drain is over. */
  GoingAway: 1001,
  /** The peer broke a rule of the protocol (wire spec §2). */
  Protocol: 1002,
  /** Never sent: the socket ended without a close frame. */
  Abnormal: 1006,
  /** A text that is not UTF-8. */
  InvalidText: 1007,
  /** The handshake was refused, or the peer does more than `limits` allow. */
  Policy: 1008,
  /** A frame or payload over `limits.frameBytes` or `limits.messageBytes`. */
  TooBig: 1009,
  /** A fault of this host. */
  Internal: 1011,
  /**
   * No room here: more than twice `limits.queuedBytes` wait for a peer that asks faster than it reads, or too many
   * handshakes are pending. Also for a socket that `incoming()` gets when the grid is closed.
   */
  Overloaded: 1013,
  /** A newer connection from the same host took over (wire spec §9). */
  Replaced: 4001,
} as const);
