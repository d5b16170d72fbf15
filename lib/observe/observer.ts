import type { GridCode } from '../errors/index.js';

/** Who made the call: this host, or the peer. */
export type CallDirection = 'outgoing' | 'incoming';
/** What a call is on the wire: one answer, or messages with credits. */
export type CallKind = 'request' | 'stream';

/**
 * Messages that a rule of the protocol tells to ignore. They are counted, never answered, never logged one by one. For
 * `unwanted-input` the input of a whole call of ours counts once: the handler takes none, and the call goes on without.
 */
export type DropKind =
  | 'late-answer'
  | 'unknown-call'
  | 'excess-credit'
  | 'late-result'
  | 'odd-op'
  | 'unwanted-input';

/** A stream whose both ends wait for the other to read. */
export interface BlockedStream {
  readonly direction: CallDirection;
  readonly handler: number;
  /** For at least so many milliseconds. */
  readonly forMs: number;
  /** Messages that wait at this end until the application takes them. */
  readonly unreadHere: number;
  /** Messages that the other end's application has not taken. */
  readonly unreadThere: number;
}

/** One open stream, as of now, seen from this end. */
export interface StreamFlow {
  /** Whom the stream tells of itself. */
  readonly observer: CallObserver;
  /** Messages that this end may send before it gets a credit back. */
  readonly credits: number;
  /** This end cannot send: it waits for a credit. */
  readonly starved: boolean;
  /** Messages that came and that the application has not taken. */
  readonly unread: number;
}

/** What a mux tells of the calls of one handler that are of one kind and go one way. As cheap as the mux's observer. */
export interface CallObserver {
  opened(): void;
  /** `code` is undefined for a call that ended well. */
  ended(code: GridCode | undefined, durationMs: number): void;
  /** A call ended with this before it was opened, here or by the refusal of its handler: it took no time. */
  refused(code: GridCode): void;
  /** Bytes of one payload, handed to the connection or come from it. */
  sent(bytes: number): void;
  received(bytes: number): void;
}

/** What a mux tells of its calls. Must not throw and must be cheap: it runs on the hot path. */
export interface MuxObserver {
  /**
   * Whom a call tells of itself: asked once for each call, which keeps it. `pattern`: what its handler was registered
   * as, or was called by, where the handler ID does not say that.
   */
  callsOf(direction: CallDirection, kind: CallKind, handler: number, pattern?: string): CallObserver;
  dropped(what: DropKind): void;
  /** At most once per stream. */
  streamBlocked(stream: BlockedStream): void;
}

/** What a connection tells of its socket. */
export interface ConnectionObserver extends MuxObserver {
  frameSent(bytes: number): void;
  frameReceived(bytes: number): void;
  /** Round trip of the connection's own ping. */
  pinged(roundTripMs: number): void;
}

export const silentCalls: CallObserver = Object.freeze({
  opened() {},
  ended() {},
  refused() {},
  sent() {},
  received() {},
});

export const silentObserver: ConnectionObserver = Object.freeze({
  callsOf: () => silentCalls,
  dropped() {},
  streamBlocked() {},
  frameSent() {},
  frameReceived() {},
  pinged() {},
});
