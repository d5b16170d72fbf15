import type { GridError } from '../errors/index.js';
import type { HandlerStream } from './handler-stream.js';
import type { IncomingRequest } from './incoming-request.js';

/**
 * What a mux calls for an incoming call. Found by ID and subroute once per call; neither function may throw, both
 * run inside the reader and so must not do the work themselves for long.
 */
export interface CallHandler {
  /** Takes single requests. Without it a plain Request is refused with "streams: call stream()". */
  readonly onRequest?: (call: IncomingRequest) => void;
  /** Takes streams. Without it a ConnectMux is refused as an unknown handler. */
  readonly onStream?: (call: HandlerStream) => void;
  /** Requests are events to it: who opens a stream is told so, as far as it can read it. */
  readonly isEvent?: boolean;
  /** Asked before anything of the call runs; an error refuses it: the caller learns that the handler never ran. */
  readonly admit?: () => GridError | undefined;
  /** What it was registered as, for statistics; undefined where its ID says that. */
  readonly pattern?: string;
  /** Messages to the handler that may be unacknowledged; 0 = takes no input. */
  readonly inCapacity: number;
  /** Messages to the caller that may be unacknowledged; at least 1. */
  readonly outCapacity: number;
}

/** Where a mux looks handlers up. */
export interface HandlerDirectory {
  /** `subroute` is the 32-byte id of the call as lower-case hex, undefined for a call without one. */
  find(handler: number, subroute: string | undefined): CallHandler | undefined;
}
