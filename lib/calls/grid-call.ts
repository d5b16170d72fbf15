import type { Observable } from 'rxjs';
import type { Readable } from 'node:stream';

/**
 * A running stream, at the caller. It has started when it is made; its messages have one reader: the iterator,
 * `toObservable()` or `toReadable()`. A credit goes back to the handler when the application took the message.
 */
export interface GridCall<In = unknown, Out = unknown> extends AsyncIterable<Out> {
  /**
   * Sends one message of input. Resolves when a credit took it: waiting for it is the backpressure.
   * Rejects with the call's error when the call is over, FAILED_PRECONDITION after `end()`, for a handler that takes
   * no input and where `input` was given, INVALID_ARGUMENT for a message that cannot be encoded (the call goes on),
   * OUT_OF_RANGE for one that is too large to be sent, by which the call ends.
   */
  write(message: In): Promise<void>;
  /** No more input. Messages whose `write()` still waits go first. */
  end(): void;
  /** Ends the call with CANCELLED; the handler is told. So does breaking out of `for await`. */
  cancel(reason?: unknown): void;
  /**
   * Settles when the call is over at both ends: with nothing, or with its GridError. Messages may still be unread
   * then. Never an unhandled rejection.
   */
  readonly done: Promise<void>;
  /** The messages as an Observable, to be subscribed once. Unsubscribing cancels; a credit per delivered value. */
  toObservable(): Observable<Out>;
  /** The messages as a Readable in object mode, taken from the call as fast as they are read. Destroying it cancels. */
  toReadable(): Readable;
}
