const TICK_MS = 20;

/**
 * Time in which this process did not run: frozen, or without a core. A deadline that passed meanwhile could not be
 * noticed, and is not held against the call.
 */
export class Standstill {
  private lost = 0;
  private last = performance.now();
  private readonly timer = setInterval(() => this.look(), TICK_MS).unref();

  /** Milliseconds since the start of the process. */
  get totalMs(): number {
    this.look();
    return this.lost;
  }

  end(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const now = performance.now();
    this.lost += Math.max(0, now - this.last - TICK_MS);
    this.last = now;
  }
}
