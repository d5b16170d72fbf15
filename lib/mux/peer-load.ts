import type { CallKind } from '../observe/index.js';
import { HeldBytes } from './held-bytes.js';

/**
 * What one peer has under way at this host, over all of its connections: a handler that does not heed its abort
 * outlives the connection of its call, and a peer that connects anew makes no room for more of them.
 */
export class PeerLoad {
  /** Payloads of the peer's calls and their unread input. */
  readonly held: HeldBytes;
  /** Messages to it that wait for its credits: beside the others, for they shall not refuse its calls. */
  readonly unsent: HeldBytes;
  /** Streams that are open on the wire or whose handler has not ended. */
  streams = 0;
  private readonly handlers: Record<CallKind, number> = { request: 0, stream: 0 };

  /** `heldBytes`: of `limits`. */
  constructor(heldBytes: number) {
    this.held = new HeldBytes(heldBytes);
    this.unsent = new HeldBytes(heldBytes);
  }

  /** Requests whose handler has not really ended. */
  get requests(): number {
    return this.handlers.request;
  }

  /** Handlers that have not really ended yet, those of calls that are long over included. */
  get running(): number {
    return this.handlers.request + this.handlers.stream;
  }

  handlerStarted(kind: CallKind): void {
    this.handlers[kind]++;
    if (kind === 'stream') this.streams++;
  }

  handlerEnded(kind: CallKind): void {
    this.handlers[kind]--;
  }

  /** The handler of a stream has ended and the stream is over on the wire: the end of one may wait for a credit. */
  streamGone(): void {
    this.streams--;
  }
}
