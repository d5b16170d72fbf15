/** Those who wait for a write queue that is crowded: called once each, oldest first, while it is not. */
export class DrainWaiters {
  private readonly waiting = new Set<() => void>();
  private resuming = false;

  constructor(private readonly crowded: () => boolean) {}

  /** The returned function forgets it. */
  add(resume: () => void): () => void {
    const waiter = (): void => resume();
    this.waiting.add(waiter);
    return () => this.waiting.delete(waiter);
  }

  /** There may be room now. */
  look(): void {
    if (this.waiting.size === 0 || this.resuming || this.crowded()) return;
    // not at once: a mux that withdraws is not called back meanwhile
    this.resuming = true;
    queueMicrotask(() => this.resume());
  }

  clear(): void {
    this.waiting.clear();
  }

  private resume(): void {
    this.resuming = false;
    for (const waiter of this.waiting) {
      if (this.crowded()) return;
      this.waiting.delete(waiter);
      waiter();
    }
  }
}
