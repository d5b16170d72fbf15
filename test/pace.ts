import { setTimeout } from 'node:timers/promises';

/**
 * So long something goes on in a run of real processes: a fault, a client's pause, a warm-up. The time is what is played;
 * nothing is awaited, so there is no event that could end it sooner.
 */
export function lasts(ms: number): Promise<void> {
  return setTimeout(ms);
}
