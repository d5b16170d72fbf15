import type { GridError } from '../errors/index.js';

/** What happens between this host and the others, as it happens (`grid.events`). */
export type GridEvent =
  /**
   * A connection to the peer stands; `restarted` iff the peer is another process than the one known before. No `down`
   * comes before it where it replaces one that stood.
   */
  | { readonly type: 'up'; readonly peer: string; readonly restarted: boolean }
  /** The connection to the peer ended, and no newer one has replaced it. */
  | { readonly type: 'down'; readonly peer: string; readonly error: GridError }
  /** The peer did not let us in. */
  | { readonly type: 'refused'; readonly direction: 'outgoing'; readonly peer: string; readonly reason: string }
  /** We did not let somebody in; `peer` is the host that it claimed to be, where that is one of ours. */
  | {
      readonly type: 'refused';
      readonly direction: 'incoming';
      readonly peer: string | undefined;
      readonly remoteAddress: string | undefined;
      readonly reason: string;
    }
  /** The peer's process is another one than before. */
  | { readonly type: 'restarted'; readonly peer: string }
  /** A host takes no new calls any more, and will close: the peer, or this host itself (`peer` undefined). */
  | { readonly type: 'draining'; readonly peer: string | undefined; readonly reason: string };
