import { performance } from 'node:perf_hooks';

// not the global one, which fake timers of an application's test replace
const { nodeTiming } = performance;

/**
 * Milliseconds, fractions included, that this thread's event loop has slept since it began, waiting for something to
 * happen. The same number twice: it had something to do all the time between. 0: nothing is known.
 */
export function loopSleptMs(): number {
  return nodeTiming.idleTime;
}
