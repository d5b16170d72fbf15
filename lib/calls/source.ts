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
  /** What the application's cleanup threw when the source was stopped or had ended: that changes nothing any more. */
  cleanupFailed(thrown: unknown): void;
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

/** Takes everything and wants nothing. Who uses it says who is told of cleanups that fail. */
export const NOWHERE: Omit<Sink, 'cleanupFailed'> = Object.freeze({
  isReady: () => true,
  value() {},
  end() {},
  fail() {},
});
