/** Size of an attack: `full` runs the numbers that are promised, `ci` (the default) enough to pass each cap. */
export const FULL = process.env['GRID_TEST_SCALE'] === 'full';

export function volume(ci: number, full: number): number {
  return FULL ? full : ci;
}

export const MB = 1_024 * 1_024;
