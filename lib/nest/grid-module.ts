import { Module, type DynamicModule } from '@nestjs/common';
import { clientProviders } from './client-providers.js';
import { GridCoreModule } from './grid-core.module.js';
import type { GridClientDefinition, GridModuleAsyncOptions, GridModuleOptions } from './grid-module-options.js';

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
    const { clients, check } = clientProviders(definitions);
    return { module: GridModule, providers: [...clients, check], exports: [...clients] };
  }
}
