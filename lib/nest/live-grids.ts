import { GridError } from '../errors/index.js';
import type { Grid } from './grid.js';

/**
 * The grids of this process that were connected to their apps and are not closed. Only for clients that Nest's
 * `ClientsModule.register` builds: it knows no injection, so they can find their grid by name alone.
 */
const live = new Set<Grid>();

/** Makes a grid known until the returned function is called. */
export function addLiveGrid(grid: Grid): () => void {
  live.add(grid);
  return () => live.delete(grid);
}

/** The one live grid of that name; without a name the only one. FAILED_PRECONDITION where none or several fit. */
export function findLiveGrid(name?: string): Grid {
  const fitting = [...live].filter((grid) => name === undefined || grid.name === name);
  const [grid] = fitting;
  if (grid && fitting.length === 1) return grid;
  const advice = 'use GridModule.forFeature or ClientsModule.registerAsync with inject: [Grid]';
  const named = name === undefined ? '' : ` named '${name}'`;
  const found = fitting.map((one) => `'${one.name}' of ${one.local}`).join(', ');
  throw new GridError(
    'FAILED_PRECONDITION',
    fitting.length === 0
      ? `GridClient: no grid${named} is connected in this process; call connectGrid first, or ${advice}`
      : `GridClient: several grids${named} fit (${found}); name one by options.grid, or ${advice}`,
    { notSent: true },
  );
}
