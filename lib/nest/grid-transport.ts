import { DEFAULT_GRID } from './grid-token.js';

const KEY = 'nestjs-grid';

/** Binds a plain decorator to the grid without a name: `@MessagePattern(60, GRID_TRANSPORT)`. */
export const GRID_TRANSPORT: unique symbol = Symbol.for(KEY) as never;

/** Binds a plain decorator to the grid of that name: `@MessagePattern(60, gridTransport('locks'))`. */
export function gridTransport(name: string = DEFAULT_GRID): symbol {
  return name === DEFAULT_GRID ? GRID_TRANSPORT : Symbol.for(`${KEY}:${name}`);
}

/** The name of the grid that a transport stands for; undefined for any other transport. */
export function gridOfTransport(transport: unknown): string | undefined {
  const key = typeof transport === 'symbol' ? Symbol.keyFor(transport) : undefined;
  if (key === KEY) return DEFAULT_GRID;
  return key?.startsWith(`${KEY}:`) ? key.slice(KEY.length + 1) : undefined;
}
