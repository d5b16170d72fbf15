import type { Frame } from '../wire/index.js';

/**
 * A two-way socket of whole binary messages: a WebSocket, one end of an in-memory pair, or what a custom `dialer`
 * brings. It is open when it is handed over. None of its methods throws, and nothing is delivered to the listener
 * inside `send`: who sends is not ready for the answer. With a socket that the application brings the grid bears both:
 * what comes inside `send` is taken when that has returned, a `send` that throws ends the connection, a `close` that
 * throws is followed by `terminate`, and a socket whose `terminate` throws counts as closed.
 */
export interface MessageSocket {
  /** For logs: address of the other end, as far as known. */
  readonly remoteAddress: string | undefined;
  /**
   * Writes one binary message. `done` is called once: when the bytes have been handed to the system, or with the
   * error. The frame's memory must not be changed before `done`.
   * @param room so many bytes in front of the frame belong to it: with more than 0 the socket may write into them, and
   * change the frame itself. A socket need not know about it.
   */
  send(frame: Uint8Array, done: (error?: Error) => void, room?: number): void;
  /** Says goodbye with a WebSocket close code (1000 to 4999) and a reason of at most 123 bytes, then closes. */
  close(code: number, reason: string): void;
  /** Drops the socket at once. */
  terminate(): void;
  /** Set exactly once, by the connection, before any frame is delivered (in the tick of the handover). */
  listen(listener: MessageSocketListener): void;
}

/** What a socket tells of what comes: its connection. Whoever writes a socket calls this, never inside `send`. */
export interface MessageSocketListener {
  /** A whole binary message. The memory is the listener's from now on. */
  onFrame(frame: Uint8Array): void;
  /** A text message came, or the socket's own protocol was broken: `code` is the close code that it asks for. */
  onViolation(code: number, reason: string): void;
  /** The socket is closed, once, for whatever cause. Nothing follows. */
  onClose(code: number, reason: string): void;
}

/** What moves on a socket, frames that are under way included. */
export interface Traffic {
  /** Bytes that have come so far. */
  readonly read: number;
  /** Bytes that the system has taken so far. */
  readonly taken: number;
  /** Bytes that wait for it. */
  readonly waiting: number;
}

/** What a connection runs over: a message socket, or one of the grid's own, which may leave a frame in two pieces. */
export interface FrameSocket extends Omit<MessageSocket, 'listen'> {
  /** How much has moved; not there where it is not known. */
  traffic?(): Traffic;
  /** The other end has said goodbye: nothing is written any more, `onClose` follows. */
  readonly closing?: boolean;
  /** A second frame would only wait in it until the first is written, no part of a full one any more. */
  readonly oneAtATime?: boolean;
  /** As that of a message socket. */
  listen(listener: FrameListener): void;
}

export interface FrameListener extends MessageSocketListener {
  /** A whole binary message. The memory is the listener's from now on. */
  onFrame(frame: Frame): void;
}
