import { Subject, type Observable } from 'rxjs';
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

const starts = new Subject<void>();

/** Tells each time that a grid starts: by then all grids of its app are live, so that it is clear which one fits. */
export const gridStarts: Observable<void> = starts.asObservable();

export function tellGridStart(): void {
  starts.next();
}

/** Whether `findLiveGrid` may yet find a grid of that name: so far there is none. */
export function isGridMissing(name?: string): boolean {
  return fittingGrids(name).length === 0;
}

/** The one live grid of that name; without a name the only one. FAILED_PRECONDITION where none or several fit. */
export function findLiveGrid(name?: string): Grid {
  const fitting = fittingGrids(name);
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

function fittingGrids(name: string | undefined): Grid[] {
  return [...live].filter((grid) => name === undefined || grid.name === name);
}
