import { SystemTimer } from './system-timer.js';

/** A running timer. Whoever starts one holds this and cancels it; cancelling twice is harmless. */
export interface Timer {
  cancel(): void;
}

/** Time and chance as an argument: everything below `lib/nest` asks its clock, never the globals. */
export interface Clock {
  /**
   * Monotonic milliseconds, fractions included. Deadlines and ages are measured on it, so a step of the wall clock cuts
   * nothing.
   */
  now(): number;
  /** Unix time in milliseconds. Only for what travels as a date: the handshake, tokens, pings. */
  date(): number;
  /** Runs `fire` once, no sooner than `delayMs` from now. Delays over 2^31-1 ms are allowed. */
  setTimer(delayMs: number, fire: () => void): Timer;
  /** A number in [0, 1): jitter and first muxIds. Not for secrets. */
  random(): number;
}

/** Looks the globals up each time: fake timers of an application's test replace them. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  date: () => Date.now(),
  setTimer: (delayMs: number, fire: () => void): Timer => new SystemTimer(delayMs, fire),
  random: () => Math.random(),
});
