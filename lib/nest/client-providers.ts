import type { FactoryProvider, OnModuleInit, Provider } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { shownOption, verifyOptionNames } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { GridClient } from './grid-client.js';
import type { GridClientDefinition } from './grid-module-options.js';
import { DEFAULT_GRID, getGridToken } from './grid-token.js';
import type { Grid } from './grid.js';
import { ownToken } from './own-token.js';

const NAMES: Readonly<Record<keyof GridClientDefinition, true>> = { name: true, peer: true, grid: true };

/** What `forFeature` provides. Every error says which client it is about: an app may have many. */
export interface ClientProviders {
  /** The clients, each under its name. */
  readonly clients: readonly FactoryProvider<GridClient>[];
  /** Fails the start where a client's grid or host is not there. */
  readonly check: Provider;
}

/** @throws GridError INVALID_ARGUMENT for what is no definition of a client. */
export function clientProviders(definitions: readonly GridClientDefinition[]): ClientProviders {
  if (!Array.isArray(definitions)) {
    const text = 'forFeature: the clients must stand in a list: GridModule.forFeature([{ name, peer }])';
    throw new GridError('INVALID_ARGUMENT', text);
  }
  for (const [index, definition] of definitions.entries()) verifyDefinition(definition, index);
  const clients = definitions.map(clientProvider);
  return { clients, check: checkOf(definitions) };
}

function clientProvider(definition: GridClientDefinition): FactoryProvider<GridClient> {
  const { name, peer, grid } = definition;
  return {
    provide: name,
    inject: [ModuleRef],
    // not by injection: a grid that is not global is not visible here
    useFactory: (modules: ModuleRef) => new GridClient({ peer, grid: () => gridIn(modules, grid, whose(name)) }),
  };
}

function gridIn(modules: ModuleRef, name: string = DEFAULT_GRID, where: string): Grid {
  try {
    return modules.get(getGridToken(name) as string, { strict: false });
  } catch (cause) {
    // Nest says that it could not find an element, and nothing of who wanted it
    const options = name === DEFAULT_GRID ? '{ … }' : `{ name: '${name}', … }`;
    const text = `${where}: there is no grid '${name}': import GridModule.forRoot(${options}) in the app's root module`;
    throw new GridError('FAILED_PRECONDITION', text, { cause });
  }
}

function checkOf(definitions: readonly GridClientDefinition[]): Provider {
  return {
    provide: ownToken('clients'),
    inject: definitions.map(({ name }) => name),
    useFactory: (...made: GridClient[]): OnModuleInit => ({
      async onModuleInit() {
        for (const [index, client] of made.entries()) {
          try {
            await client.connect();
          } catch (error) {
            throw told(error, whose(definitions[index]!.name));
          }
        }
      },
    }),
  };
}

/** The error of a host that is not in the list does not know whose host it is. */
function told(error: unknown, where: string): unknown {
  if (!GridError.is(error) || error.message.startsWith(where)) return error;
  return error.with({ message: `${where}: ${error.message}` });
}

/** The compiler sees no option that comes by a variable, nor any in JavaScript. */
function verifyDefinition(definition: GridClientDefinition, index: number): void {
  const given: Partial<Record<keyof GridClientDefinition, unknown>> | null = definition;
  const where = whose(given?.name ?? index);
  verifyOptionNames(where, given, Object.keys(NAMES));
  const { name, peer, grid } = definition as Partial<Record<keyof GridClientDefinition, unknown>>;
  if (typeof name !== 'symbol' && (typeof name !== 'string' || name === '')) {
    throw wrong(where, 'name', name, 'a string or a symbol, for @InjectGridClient(name)');
  }
  if (typeof peer !== 'string' || peer === '') {
    throw wrong(where, 'peer', peer, 'the origin of a host of the grid, like http://node-2:9000');
  }
  if (grid !== undefined && typeof grid !== 'string') throw wrong(where, 'grid', grid, 'the name of a grid');
}

function wrong(where: string, option: string, value: unknown, allowed: string): GridError {
  return new GridError('INVALID_ARGUMENT', `${where}: ${option} is ${shownOption(value)}; it must be ${allowed}`);
}

function whose(name: unknown): string {
  return `forFeature: client ${shownOption(name)}`;
}
