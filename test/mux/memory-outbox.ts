import { encodeApart, intoOf, type Outbox, type PayloadEncoder } from '../../lib/mux/index.js';
import type { Message } from '../../lib/wire/index.js';

/** A payload that takes more is in memory of its own. */
const LENT_BYTES = 1024;

interface Waiting {
  readonly position: number;
  readonly message: Message;
}

/**
 * One direction of an in-memory link between two muxes. Messages arrive in order, in a later microtask, unless held.
 */
export class MemoryOutbox implements Outbox {
  /** Every message that was delivered, for tests that look at the wire. */
  readonly delivered: Message[] = [];
  /** Set to true to play a full write queue; `drain()` ends it. */
  congested = false;
  /** Bytes that an answer may have. */
  room = Infinity;

  /** A payload that was encoded and not sent yet. */
  private lent: Uint8Array | undefined = undefined;
  private waiting: Waiting[] = [];
  private position = 0;
  private handedUpTo = 0;
  private held = false;
  private scheduled = false;
  private open = true;
  private readonly drained = new Set<() => void>();

  constructor(private readonly deliver: (message: Message) => void) {}

  send(message: Message): number {
    const position = ++this.position;
    if (!this.open) return position;
    this.waiting.push({
      position,
      message: { ...message, payload: message.payload && new Uint8Array(message.payload) },
    });
    this.takeBack();
    this.schedule();
    return position;
  }

  cork(): void {}
  uncork(): void {}

  encode(value: unknown, codec: PayloadEncoder): Uint8Array {
    this.takeBack();
    const memory = Buffer.allocUnsafe(LENT_BYTES);
    const payload = intoOf(codec)?.(value, memory, 0, LENT_BYTES) ?? encodeApart(value, codec);
    if (typeof payload !== 'number') return payload;
    this.lent = memory.subarray(0, payload);
    return this.lent;
  }

  get crowded(): boolean {
    return this.congested;
  }

  hasRoom(bytes: number): boolean {
    return bytes <= this.room;
  }

  withdraw(position: number): boolean {
    const index = this.waiting.findIndex((entry) => entry.position === position);
    if (index < 0) return false;
    this.waiting.splice(index, 1);
    return true;
  }

  isHanded(position: number): boolean {
    return position <= this.handedUpTo;
  }

  onDrain(resume: () => void): () => void {
    this.drained.add(resume);
    return () => this.drained.delete(resume);
  }

  drain(): void {
    this.congested = false;
    const waiting = [...this.drained];
    this.drained.clear();
    for (const resume of waiting) resume();
  }

  /** Keeps messages back, as a socket that does not write. */
  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    this.schedule();
  }

  /** Delivers so many of the messages held back, in this turn. */
  step(count: number): void {
    for (const entry of this.waiting.splice(0, count)) this.hand(entry);
  }

  /** Drops what waits and what will come. */
  cut(): void {
    this.open = false;
    this.waiting = [];
  }

  /** The bytes are not good any more: who keeps them shall see it. */
  private takeBack(): void {
    this.lent?.fill(0xee);
    this.lent = undefined;
  }

  private schedule(): void {
    if (this.scheduled || this.held) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      if (this.held) return;
      const batch = this.waiting;
      this.waiting = [];
      for (const entry of batch) this.hand(entry);
    });
  }

  private hand({ position, message }: Waiting): void {
    this.handedUpTo = position;
    this.delivered.push(message);
    this.deliver(message);
  }
}
