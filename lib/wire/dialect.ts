/** Extensions of wire spec §11 that this build can do, in the order in which they are announced. */
export const EXTENSIONS = ['meta', 'error', 'cancel', 'capacity', 'upgrade', 'drain'] as const;
export type Extension = (typeof EXTENSIONS)[number];

/** What both ends of one connection agreed on in the handshake. */
export interface Dialect {
  /** Set on every message but Connect, ConnectResponse, Merged and the connection's own Ping: `Flag.Crc` or 0. */
  readonly baseFlags: number;
  /** Active extensions: both ends listed them and all that they need. */
  readonly extensions: ReadonlySet<Extension>;
  /** The largest WebSocket message in bytes that the peer accepts (its `Max`), Infinity where it named none. */
  readonly peerMaxBytes: number;
}

const NEEDS: Partial<Record<Extension, readonly Extension[]>> = {
  error: ['meta'],
  upgrade: ['capacity', 'cancel'],
};

/** The extensions of `ours` that are active when the peer listed `theirs` (undefined, as of a Go peer: none). */
export function activeExtensions(
  ours: readonly Extension[],
  theirs: readonly string[] | undefined,
): ReadonlySet<Extension> {
  const both = new Set(ours.filter((name) => theirs?.includes(name)));
  for (const name of ours) {
    if (NEEDS[name]?.some((needed) => !both.has(needed))) both.delete(name);
  }
  return both;
}
