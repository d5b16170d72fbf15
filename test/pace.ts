import { setTimeout } from 'node:timers/promises';

/**
 * So long something goes on that is played in real time: a fault, a stranger's pace, a client's pause, a warm-up, the
 * pause of who asks another process again. Nothing that happens here could end it sooner.
 */
export function lasts(ms: number): Promise<void> {
  return setTimeout(ms);
}
