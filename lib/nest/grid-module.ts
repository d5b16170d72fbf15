import { Module, type DynamicModule, type FactoryProvider, type OnModuleInit, type Provider } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { GridError } from '../errors/index.js';
import { GridClient } from './grid-client.js';
import { GridCoreModule } from './grid-core.module.js';
import type { GridClientDefinition, GridModuleAsyncOptions, GridModuleOptions } from './grid-module-options.js';
import { getGridToken } from './grid-token.js';

/** Brings a grid into a Nest app. `connectGrid(app)` or `gridMicroservice()` starts it. */
@Module({})
export class GridModule {
  /** A grid of these options. A wrong one stops the start with a GridError that names it. */
  static forRoot(options: GridModuleOptions): DynamicModule {
    const core = GridCoreModule.of(options);
    return { module: GridModule, imports: [core], exports: [core] };
  }

  /** The same with options that are made by injection. */
  static forRootAsync(options: GridModuleAsyncOptions): DynamicModule {
    const core = GridCoreModule.ofAsync(options);
    return { module: GridModule, imports: [core], exports: [core] };
  }

  /** Clients for hosts, each provided under its name. The start fails for an unknown host or grid. */
  static forFeature(definitions: readonly GridClientDefinition[]): DynamicModule {
    if (!Array.isArray(definitions)) {
      const text = 'forFeature: the clients must stand in a list: GridModule.forFeature([{ name, peer }])';
      throw new GridError('INVALID_ARGUMENT', text);
    }
    const clients = definitions.map(clientProvider);
    return { module: GridModule, providers: [...clients, checkOf(clients)], exports: clients };
  }
}

function clientProvider({ name, peer, grid }: GridClientDefinition): FactoryProvider<GridClient> {
  return {
    provide: name,
    inject: [ModuleRef],
    // not by injection: a grid that is not global is not visible here
    useFactory: (modules: ModuleRef) =>
      new GridClient({ peer, grid: () => modules.get(getGridToken(grid) as string, { strict: false }) }),
  };
}

function checkOf(clients: readonly FactoryProvider<GridClient>[]): Provider {
  return {
    provide: Symbol('nestjs-grid:clients'),
    inject: clients.map((client) => client.provide),
    useFactory: (...made: GridClient[]): OnModuleInit => ({
      async onModuleInit() {
        for (const client of made) await client.connect();
      },
    }),
  };
}
