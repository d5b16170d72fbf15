import type { ModulesContainer } from '@nestjs/core';
import { GridError } from '../errors/index.js';
import { lifecyclesOf, type GridLifecycle } from './grid-lifecycle.js';
import { DEFAULT_GRID } from './grid-token.js';

/**
 * The lifecycle of the grid of that name; without a name of the only one there is, or of the one without a name.
 * Throws FAILED_PRECONDITION where there is none.
 */
export function findLifecycle(modules: ModulesContainer, name?: string): GridLifecycle {
  const found = new Map(lifecyclesOf(modules).map((lifecycle) => [lifecycle.grid.name, lifecycle]));
  const only = found.size === 1 ? [...found.values()][0] : undefined;
  const lifecycle = name === undefined ? (found.get(DEFAULT_GRID) ?? only) : found.get(name);
  if (lifecycle) return lifecycle;
  const names = [...found.keys()].map((one) => `'${one}'`).join(', ');
  const wanted = name === undefined ? 'a grid' : `a grid named '${name}'`;
  throw new GridError(
    'FAILED_PRECONDITION',
    found.size === 0
      ? `there is no grid to connect: import GridModule.forRoot({ … }) in the app's root module`
      : `there is not ${wanted} to connect; the app has ${names}: name one by the option grid`,
  );
}
