import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { PATTERN_METADATA, TRANSPORT_METADATA } from '@nestjs/microservices/constants.js';
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

/**
 * Names of handlers of this grid that nobody will ever call: Nest looks for them in controllers, and leaves out in
 * silence what stands in a provider.
 * @param plain Whether those that are bound to no transport count too.
 */
export function handlersOfProviders(modules: ModulesContainer, grid: string, plain: boolean): string[] {
  // a provider may be the base of a controller
  const registered = new Set([...methodsOf(modules)].map(({ declared }) => declared));
  const scanner = new MetadataScanner();
  const names = new Set<string>();
  for (const { metatype } of [...modules.values()].flatMap(({ providers }) => [...providers.values()])) {
    const prototype = metatype?.prototype as Readonly<Record<string, () => unknown>> | undefined;
    for (const name of prototype ? scanner.getAllMethodNames(prototype) : []) {
      const method = prototype![name]!;
      if (registered.has(method) || !Reflect.hasMetadata(PATTERN_METADATA, method)) continue;
      const transport: unknown = Reflect.getMetadata(TRANSPORT_METADATA, method);
      if (transport === undefined ? plain : gridOfTransport(transport) === grid) names.add(`${metatype!.name}.${name}`);
    }
  }
  return [...names];
}
