import type { Message } from '../wire/index.js';
import type { Outbox } from '../mux/index.js';

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
    this.schedule();
    return position;
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
