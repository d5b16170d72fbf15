import type { ModulesContainer } from '@nestjs/core';
import { TRANSPORT_METADATA } from '@nestjs/microservices/constants.js';
import { GridError } from '../errors/index.js';
import { gridOfTransport } from './grid-transport.js';
import { methodsOf } from './handler-owners.js';

/**
 * Nest gives each transport the handlers that are bound to it, and leaves out in silence what is bound to one that
 * nobody has.
 * @param grids Names of all grids of the app, those that are not connected too: each of them tells that by itself.
 * @throws GridError for a handler bound to a grid that is none of them.
 */
export function refuseStrayHandlers(modules: ModulesContainer, grids: readonly string[]): void {
  const stray = new Set<string>();
  for (const { controller, method, declared } of methodsOf(modules)) {
    const grid = gridOfTransport(Reflect.getMetadata(TRANSPORT_METADATA, declared));
    if (grid === undefined || grids.includes(grid)) continue;
    stray.add(`${controller.name}.${method} belongs to grid '${grid}'`);
  }
  if (stray.size === 0) return;
  const has = grids.map((grid) => `'${grid}'`).join(', ');
  const text = `${[...stray].join(', ')}; the app has ${has}: name one of them by the decorator's option grid`;
  throw new GridError('FAILED_PRECONDITION', `${text}, or by gridTransport(name)`);
}
