import type { Message } from '../wire/index.js';
import type { PayloadEncoder } from './payload-encoder.js';

/**
 * Where a mux puts its messages: the write queue of a connection, or the other mux of an in-memory pair. `send`
 * never blocks, never throws and never calls back into the mux before it returned.
 */
export interface Outbox {
  /**
   * Takes the message over: it and its payload's bytes are read before this returns, and the caller may use both again.
   * Order is kept, but for a Response, with which nothing stands in order: where much waits, all else may go ahead of a
   * large one. The returned position is what `withdraw` and `isHanded` ask by, not for a Response; positions only grow.
   * @param after Given: a small message for which the peer may wait. It stands in order only with what was sent up to
   * that position, 0 for nothing, and may overtake all later ones; `after` is returned then.
   */
  send(message: Message, after?: number): number;
  /** What is sent from here on until `uncork` belongs together: nothing of it leaves alone. Not nested. */
  cork(): void;
  uncork(): void;
  /**
   * A value as a payload, written where the next message will have it if codec and outbox can: it need not be copied
   * then. It is good until the next `send` or `encode`: to be sent by that, or copied, or not used at all. No code of
   * the application may run before. Throws what the codec throws.
   */
  encode(value: unknown, codec: PayloadEncoder): Uint8Array;
  /** Takes back a message that was not handed to the socket yet. True: the peer will never see it. */
  withdraw(position: number): boolean;
  /** True iff the message was handed to the socket: the peer may have seen it. */
  isHanded(position: number): boolean;
  /** True while more than `limits.queuedBytes` wait to be written. */
  readonly congested: boolean;
  /** True while so much of streams waits that they shall add nothing, at the latest while it is congested. */
  readonly crowded: boolean;
  /** False: with an answer of so many bytes more would wait than may, even for calls let in before it was congested. */
  hasRoom(bytes: number): boolean;
  /** Calls `resume` once when `crowded` has become false; the returned function forgets it. */
  onDrain(resume: () => void): () => void;
}
