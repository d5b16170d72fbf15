/**
 * How much a test does. `GRID_TEST_SCALE=full` (`npm run test:full`) runs the numbers that are promised; `ci`, the
 * default, runs enough of the same to fail where they would.
 */
export const FULL = process.env['GRID_TEST_SCALE'] === 'full';

/** One of two volumes: repetitions, calls, bytes. */
export function volume(ci: number, full: number): number {
  return FULL ? full : ci;
}

export const MB = 1_024 * 1_024;
