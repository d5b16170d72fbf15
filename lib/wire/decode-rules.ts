import type { Extension } from './dialect.js';

/** What decides whether bytes from a peer are allowed. */
export interface DecodeRules {
  /** The connection's active extensions: the others' flags are unknown flags. Empty until the handshake is done. */
  readonly extensions: ReadonlySet<Extension>;
  /** Largest payload in bytes (`limits.messageBytes`); past it close code 1009. */
  readonly messageBytes: number;
  /** Most messages in one Merged (`limits.frameMessages`). */
  readonly frameMessages: number;
}
