import { framelessError, type GridError } from '../errors/index.js';
import type { HandlerSpec } from './handler-spec.js';
import { Line } from './line.js';

/** Lets so many calls of one handler run at a time, and so many wait for their turn. */
export class Gate {
  private running = 0;
  /** Those that wait are let in soon, or right now further up the stack. */
  private letsIn = false;
  private readonly waiting = new Line<() => void>();

  constructor(
    private readonly concurrency: number,
    private readonly queue: number,
  ) {}

  /** True: neither a place nor a seat in the queue is free. */
  get full(): boolean {
    // as a sum: a place that was given up is still to be taken by one that waits
    return this.running + this.waiting.length >= this.concurrency + this.queue;
  }

  /**
   * Calls `start` once a place is free, now or later; each start is followed by one `leave`. The returned function
   * gives the seat in the queue up: true if `start` will never be called. Calls beyond the queue are kept all the
   * same: it was `full` that had to be asked.
   */
  enter(start: () => void): () => boolean {
    if (this.running < this.concurrency && this.waiting.length === 0) {
      this.running++;
      start();
      return () => false;
    }
    const seat = this.waiting.add(start);
    return () => this.waiting.remove(seat);
  }

  /**
   * Gives a place up. Those that wait are let in a moment later: what ends one call often ends them too, one after the
   * other (a lost connection, a frame of cancels, one deadline for all), and none of them shall start for that.
   */
  leave(): void {
    this.running--;
    if (this.letsIn || this.waiting.length === 0) return;
    this.letsIn = true;
    queueMicrotask(() => this.letIn());
  }

  private letIn(): void {
    try {
      // by a loop: a call that ends at once leaves from inside of its start
      while (this.running < this.concurrency) {
        const next = this.waiting.shift();
        if (next === undefined) return;
        this.running++;
        next();
      }
    } finally {
      this.letsIn = false;
    }
  }
}

/** The gate of a handler that has a `concurrency`. */
export function gateOf({ concurrency, queue = 0 }: HandlerSpec): Gate | undefined {
  return concurrency === undefined ? undefined : new Gate(concurrency, queue);
}

/** The refusal of a call for which a handler has no place, before anything of it runs. */
export function admission(gate: Gate, { route, concurrency, queue = 0 }: HandlerSpec): () => GridError | undefined {
  const text = `handler ${route.name} is busy: concurrency ${concurrency}, queue ${queue}`;
  return () => (gate.full ? framelessError('RESOURCE_EXHAUSTED', text, { reason: 'limit' }) : undefined);
}
