import { GridError } from '../errors/index.js';
import { Turn, type Rota } from '../time/index.js';
import { CLEAN_END, type End } from './end.js';
import { Fifo } from './fifo.js';
import { ITEM_BYTES, unshared, type HeldBytes } from './held-bytes.js';
import type { Outbox } from './outbox.js';

/** Past so many that wait in one stream, small ones are copied out of the memory that they came in. */
const SHARED_ITEMS = 64;

/** A capacity from which on credits go back together. Of a smaller one the peer needs each. */
const LARGE_CAPACITY = 32;

/** A credit that the peer can do without for now goes back at most about so many milliseconds later. */
export const CREDIT_DELAY_MS = 10;

export interface InboundPorts {
  readonly unreadBytes: number;
  /** Where what waits is counted: at the handler side the peer's account, at the caller what is not read. */
  readonly held: HeldBytes;
  /** What a message beyond the capacity means at this end: "handler blocked" or "response blocked". */
  readonly overrun: () => GridError;
  /** Those that owe credits; each falls due `CREDIT_DELAY_MS` after its first one. */
  readonly owing: Rota<Inbound>;
  /** Gives one credit back to the peer. */
  readonly grant: () => void;
  /** Where the credits go. */
  readonly outbox: Pick<Outbox, 'cork' | 'uncork'>;
}

/**
 * One direction's arriving messages, for one reader. Items wait here until the application takes them, and only then
 * does their credit go back: at once, or of a large capacity that is known by the word of the end that has it, when
 * half of it is owed or `CREDIT_DELAY_MS` has passed. So the peer still has credits whenever nothing waits here, and
 * those of a stream that ends before never travel.
 *
 * The end is kept beside the queue, never in it and never pushed through it, so that it always arrives, and always
 * after the items (B16, H2, H12).
 */
export class Inbound extends Turn {
  /** Called when an item or the end has arrived. */
  onReady: (() => void) | undefined = undefined;

  /**
   * Messages that may wait unread: the capacity that both ends know, or the cap where none is known.
   * @internal
   */
  capacity: number;

  /** Made with the first item. */
  private items: Fifo<Uint8Array> | undefined = undefined;
  private bytes = 0;
  private ended: End | undefined = undefined;
  private discarded = false;
  private held: HeldBytes | undefined = undefined;
  /** Credits of items that were taken, not given back yet. */
  private owed = 0;
  /** So many of them go back at once. */
  private batch = 1;

  constructor(
    capacity: number,
    private readonly ports: InboundPorts,
  ) {
    super();
    this.capacity = capacity;
    this.held = ports.held;
  }

  /** Items that wait to be taken. */
  get available(): number {
    return this.items === undefined ? 0 : this.items.length;
  }

  /** The peer has no credit left: as many messages as it may send wait to be taken. */
  get full(): boolean {
    return this.ended === undefined && this.available >= this.capacity;
  }

  /** Set when the end has arrived; it counts once `available` is 0. */
  get end(): End | undefined {
    return this.ended;
  }

  /** The next item, its credit going back to the sender; undefined when none is there now. */
  take(): Uint8Array | undefined {
    const item = this.items?.shift();
    if (item === undefined) return undefined;
    this.bytes -= item.length;
    this.held?.free(item.length + ITEM_BYTES);
    if (!this.ended) this.owe();
    return item;
  }

  /** The reader has gone: drops what waits and what will come, without giving credits. */
  discard(): void {
    this.discarded = true;
    this.forgive();
    this.unaccount();
    this.items = undefined;
    this.bytes = 0;
    this.onReady = undefined;
  }

  /**
   * Both ends know this capacity by the word of the one that has it: its credits may come together.
   * @internal
   */
  announced(capacity: number): void {
    this.capacity = capacity;
    this.batch = capacity < LARGE_CAPACITY ? 1 : Math.floor(capacity / 2);
  }

  /**
   * Gives back what is owed.
   * @internal
   */
  giveBack(): void {
    const { outbox } = this.ports;
    // the first one alone would wake the peer for a single message
    outbox.cork();
    for (; this.owed > 0; this.owed--) this.ports.grant();
    outbox.uncork();
  }

  /**
   * From the wire. An error says that the peer sent more than it may, and the call has to end with it.
   * @internal
   */
  push(payload: Uint8Array): GridError | undefined {
    if (this.ended || this.discarded) return undefined;
    if (this.available >= this.capacity) return this.ports.overrun();
    const refusal = this.append(payload);
    if (!refusal) this.onReady?.();
    return refusal;
  }

  /**
   * The last item of a message that also ends the direction: no credit is asked for it, but it has to be held like any
   * other. `finish` follows, and tells the reader. An error as for `push`.
   * @internal
   */
  append(payload: Uint8Array): GridError | undefined {
    if (this.ended || this.discarded) return undefined;
    if (this.bytes + payload.length + ITEM_BYTES * this.available > this.ports.unreadBytes) {
      return new GridError('RESOURCE_EXHAUSTED', `more than unreadBytes (${this.ports.unreadBytes}) wait unread`, {
        reason: 'limit',
      });
    }
    const refusal = this.held?.refusal(payload.length + ITEM_BYTES);
    if (refusal) return refusal;
    this.items ??= new Fifo();
    const crowded = this.available >= SHARED_ITEMS || this.held?.crowded === true;
    this.items.push(crowded ? unshared(payload) : payload);
    this.bytes += payload.length;
    this.held?.add(payload.length + ITEM_BYTES);
    return undefined;
  }

  /**
   * Nobody will read any more: what is left is garbage soon, and no longer the peer's.
   * @internal
   */
  unaccount(): void {
    this.held?.free(this.bytes + ITEM_BYTES * this.available, this.available);
    this.held = undefined;
  }

  /**
   * Ends the direction; the first end counts.
   * @internal
   */
  finish(end: End): void {
    if (this.ended) return;
    this.ended = end;
    this.forgive();
    this.onReady?.();
  }

  private owe(): void {
    this.owed++;
    if (this.owed >= this.batch) {
      if (this.batch > 1) this.ports.owing.remove(this);
      this.giveBack();
    } else if (this.owed === 1) {
      this.ports.owing.add(this);
    }
  }

  /** Nothing comes any more: the peer has no use for credits. */
  private forgive(): void {
    if (this.owed === 0) return;
    this.owed = 0;
    this.ports.owing.remove(this);
  }
}

/** A direction in which nothing comes any more. */
export function endedInbound(capacity: number, ports: InboundPorts): Inbound {
  const inbound = new Inbound(capacity, ports);
  inbound.finish(CLEAN_END);
  return inbound;
}
