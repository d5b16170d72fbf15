import { GridError } from '../errors/index.js';
import type { Message } from '../wire/index.js';

/** Bytes in memory larger than this are copied when they take less than half of it. */
const SHARED_BYTES = 64 * 1024;

/** What the peer sent and this end has not let go: one account for all calls of the peer. */
export class HeldBytes {
  private bytes = 0;

  constructor(private readonly cap: number) {}

  /** Why so many bytes more may not be held, undefined while they may. */
  refusal(bytes: number): GridError | undefined {
    if (this.bytes + bytes <= this.cap) return undefined;
    return new GridError('RESOURCE_EXHAUSTED', `more than heldBytes (${this.cap}) wait for handlers`, {
      reason: 'limit',
    });
  }

  add(bytes: number): void {
    this.bytes += bytes;
  }

  free(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** The bytes in memory that they do not share: a small message must not keep the large frame that brought it. */
export function unshared(bytes: Uint8Array): Uint8Array {
  const { byteLength } = bytes.buffer;
  return byteLength > SHARED_BYTES && 2 * bytes.length < byteLength ? new Uint8Array(bytes) : bytes;
}

/** The same for an opening message, which is kept as long as its call. */
export function unsharedOpening(message: Message): Message {
  const { payload, subroute } = message;
  // both are views of one frame
  const view = payload ?? subroute;
  if (view === undefined || view.buffer.byteLength <= SHARED_BYTES) return message;
  const own = { payload: payload && unshared(payload), subroute: subroute && unshared(subroute) };
  return own.payload === payload && own.subroute === subroute ? message : { ...message, ...own };
}
