import { DEFAULT_GRID } from './grid-token.js';

/** Binds a plain decorator to the grid without a name: `@MessagePattern(60, GRID_TRANSPORT)`. */
export const GRID_TRANSPORT: unique symbol = Symbol.for('nestjs-grid') as never;

/** Binds a plain decorator to the grid of that name: `@MessagePattern(60, gridTransport('locks'))`. */
export function gridTransport(name: string = DEFAULT_GRID): symbol {
  return name === DEFAULT_GRID ? GRID_TRANSPORT : Symbol.for(`nestjs-grid:${name}`);
}
