/** Where the values of a source go. None of these throws. */
export interface Sink {
  /** True while one more value may be pulled. Who makes it true again calls `Source.resume`. */
  isReady(): boolean;
  /** Observables come here without asking first. */
  value(value: unknown): void;
  /** The last call, unless the source was stopped. */
  end(): void;
  /**
   * The last call, unless the source was stopped: what the source threw. Some of its code may run on; the sink stops
   * it, which tells when it has ended.
   */
  fail(thrown: unknown): void;
}

/** Values that come one after the other. Nothing runs before the first `resume`. */
export interface Source {
  sink: Sink;
  /** Goes on as far as the sink is ready. */
  resume(): void;
  /**
   * Tears the source down; nothing reaches the sink any more. `stopped` is called once its code has really ended,
   * which for code that never comes back is never.
   */
  stop(stopped: () => void): void;
}

/** Takes everything and wants nothing. */
export const NOWHERE: Sink = Object.freeze({ isReady: () => true, value() {}, end() {}, fail() {} });
