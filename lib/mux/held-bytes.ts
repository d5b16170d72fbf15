import { framelessError, type GridError } from '../errors/index.js';
import type { Message } from '../wire/index.js';

/** Past so many things held, those that take less than half of their memory are copied. */
const SHARED_THINGS = 1024;

/**
 * What a message that waits costs beside its bytes: its view and the memory's own object. Empty ones must not be free,
 * and with less than they take a million small ones were four times the cap.
 */
export const ITEM_BYTES = 256;

/** The same of an entry of metadata: its two strings and its place in a table. */
const ENTRY_BYTES = 64;

/** What the peer sent, or waits for its credits, and this end has not let go: an account for all calls of the peer. */
export class HeldBytes {
  private bytes = 0;
  /** Calls and messages. */
  private things = 0;

  constructor(private readonly cap: number) {}

  /** So much is held that nothing more may share its memory: each piece of that would add up to 64 KiB, uncounted. */
  get crowded(): boolean {
    return this.things >= SHARED_THINGS;
  }

  /** Why so many bytes more may not be held, undefined while they may. `what`: which they are, and what they do. */
  refusal(bytes: number, what = 'wait for handlers'): GridError | undefined {
    if (this.bytes + bytes <= this.cap) return undefined;
    return framelessError('RESOURCE_EXHAUSTED', `more than heldBytes (${this.cap}) ${what}`, {
      reason: 'limit',
    });
  }

  add(bytes: number): void {
    this.bytes += bytes;
    this.things++;
  }

  /** A thing that is held takes so many bytes more; the error says that they may not be held, and counts nothing. */
  grow(bytes: number): GridError | undefined {
    const refusal = this.refusal(bytes);
    if (!refusal) this.bytes += bytes;
    return refusal;
  }

  free(bytes: number, things = 1): void {
    this.bytes -= bytes;
    this.things -= things;
  }
}

/** What a call keeps of its opening message. */
export type Opening = Pick<Message, 'muxId' | 'seq' | 'handler' | 'payload' | 'metadata'>;

/** Its bytes, until the handler has ended. */
export function heldBytesOf({ payload, metadata, metadataBytes = 0 }: Message): number {
  const bytes = payload === undefined ? 0 : payload.length;
  // 8 KiB of them may be 2,000 strings, which take 100 KB
  return metadata === undefined ? bytes : bytes + metadataBytes + ENTRY_BYTES * Object.keys(metadata).length;
}

/**
 * Bytes that share no memory. What came from a socket keeps up to 64 KiB alive, what a codec wrote 32, however small it
 * is: that must not be so for each of many things that wait.
 */
export function unshared(bytes: Uint8Array): Uint8Array {
  return 2 * bytes.length < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
}

/** The same for what a call keeps of its opening message. */
export function unsharedOpening(message: Message): Message {
  const { payload, subroute } = message;
  return { ...message, payload: payload && unshared(payload), subroute: subroute && unshared(subroute) };
}
