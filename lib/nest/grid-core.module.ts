import { Logger, Module, type DynamicModule, type FactoryProvider, type Provider } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { GridError } from '../errors/index.js';
import type { GridOptions } from '../manager/index.js';
import { GridLifecycle, lifecycleToken } from './grid-lifecycle.js';
import type { GridModuleAsyncOptions, GridModuleOptions, GridOptionsFactory } from './grid-module-options.js';
import { DEFAULT_GRID, getGridToken } from './grid-token.js';
import { Grid } from './grid.js';

/**
 * Holds what there is once per grid, and is made by `forRoot` only. Were it `GridModule` itself, each `forFeature`
 * would be the same class with other metadata and get copies of its own.
 */
@Module({})
export class GridCoreModule {
  static of({ isGlobal, ...options }: GridModuleOptions): DynamicModule {
    const token = getGridToken(options.name);
    return core(options.name, isGlobal, { provide: token, useFactory: () => gridOf(options) }, {});
  }

  static ofAsync(options: GridModuleAsyncOptions): DynamicModule {
    const { name, isGlobal, imports = [] } = options;
    const { inject, useFactory, providers } = factoryOf(options);
    const grid: FactoryProvider<Grid> = {
      provide: getGridToken(name),
      inject,
      useFactory: async (...args: unknown[]) => gridOf({ ...named(await useFactory(...args), name) }),
    };
    return core(name, isGlobal, grid, { imports, providers });
  }
}

function core(
  name: string | undefined,
  isGlobal: boolean | undefined,
  grid: FactoryProvider<Grid>,
  more: Pick<DynamicModule, 'imports' | 'providers'>,
): DynamicModule {
  const lifecycle: FactoryProvider<GridLifecycle> = {
    provide: lifecycleToken(name ?? DEFAULT_GRID),
    inject: [grid.provide, ApplicationConfig, ModulesContainer, HttpAdapterHost],
    useFactory: (...ports: ConstructorParameters<typeof GridLifecycle>) => new GridLifecycle(...ports),
  };
  return {
    module: GridCoreModule,
    global: isGlobal ?? true,
    imports: more.imports,
    providers: [...(more.providers ?? []), grid, lifecycle],
    exports: [grid.provide],
  };
}

function gridOf(options: GridOptions): Grid {
  const { name = DEFAULT_GRID } = options;
  return new Grid({
    ...options,
    logger: options.logger ?? new Logger(name === DEFAULT_GRID ? 'Grid' : `Grid ${name}`),
  });
}

function named(options: GridOptions, name: string | undefined): GridOptions {
  if (options.name !== undefined && options.name !== (name ?? DEFAULT_GRID)) {
    throw new GridError(
      'INVALID_ARGUMENT',
      `name is '${options.name}'; with forRootAsync it must stand beside useFactory`,
    );
  }
  return name === undefined ? options : { ...options, name };
}

interface OptionsFactory extends Required<Pick<GridModuleAsyncOptions, 'inject' | 'useFactory'>> {
  readonly providers: Provider[];
}

function factoryOf({ inject = [], useFactory, useClass, useExisting }: GridModuleAsyncOptions): OptionsFactory {
  if ([useFactory, useClass, useExisting].filter((way) => way !== undefined).length !== 1) {
    throw new GridError('INVALID_ARGUMENT', 'forRootAsync: give exactly one of useFactory, useClass and useExisting');
  }
  if (useFactory) return { inject, useFactory, providers: [] };
  const maker = (useClass ?? useExisting)!;
  return {
    inject: [maker],
    useFactory: (factory: GridOptionsFactory) => factory.createGridOptions(),
    providers: useClass ? [useClass] : [],
  };
}
