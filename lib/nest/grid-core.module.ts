import { Logger, Module, type DynamicModule, type FactoryProvider, type Provider } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { verifyOptionNames } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { kindOf, type GridOptions } from '../manager/index.js';
import { GridLifecycle, lifecycleToken } from './grid-lifecycle.js';
import type { GridModuleAsyncOptions, GridModuleOptions, GridOptionsFactory } from './grid-module-options.js';
import { DEFAULT_GRID, getGridToken } from './grid-token.js';
import { Grid } from './grid.js';
import { ownToken } from './own-token.js';

const ASYNC_NAMES: Readonly<Record<keyof GridModuleAsyncOptions, true>> = {
  name: true,
  isGlobal: true,
  imports: true,
  inject: true,
  useFactory: true,
  useClass: true,
  useExisting: true,
};

/**
 * Holds what there is once per grid, and is made by `forRoot` only. Were it `GridModule` itself, each `forFeature`
 * would be the same class with other metadata and get copies of its own.
 */
@Module({})
export class GridCoreModule {
  static of(given: GridModuleOptions): DynamicModule {
    const { isGlobal, ...options } = verified(given, 'forRoot: options is');
    const token = getGridToken(options.name);
    return core(options.name, isGlobal, { provide: token, useFactory: () => gridOf(options) }, {});
  }

  static ofAsync(options: GridModuleAsyncOptions = {}): DynamicModule {
    verifyOptionNames('forRootAsync', options, Object.keys(ASYNC_NAMES));
    const { name, isGlobal, imports = [] } = options;
    const { inject, useFactory, providers, source } = factoryOf(options);
    const grid: FactoryProvider<Grid> = {
      provide: getGridToken(name),
      inject,
      useFactory: async (...args: unknown[]) => {
        const made = verified(await useFactory(...args), `forRootAsync: ${source} gave`);
        return gridOf({ ...named(made, name) });
      },
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
  const own = { provide: ownToken('grid'), useValue: name ?? DEFAULT_GRID };
  return {
    module: GridCoreModule,
    global: isGlobal ?? true,
    imports: more.imports,
    providers: [...(more.providers ?? []), grid, lifecycle, own],
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
  // an option of forRoot, and needed before these are made: "unknown" would send its reader the wrong way
  if ('isGlobal' in options) {
    throw new GridError('INVALID_ARGUMENT', 'isGlobal: with forRootAsync it must stand beside useFactory');
  }
  return name === undefined ? options : { ...options, name };
}

interface OptionsFactory extends Required<Pick<GridModuleAsyncOptions, 'inject' | 'useFactory'>> {
  readonly providers: Provider[];
  /** What gives the options, for texts. */
  readonly source: string;
}

/** @throws GridError INVALID_ARGUMENT for what is no object; what stands in it is verified by the grid. */
function verified<T extends object>(options: T, where: string): T {
  if (typeof options === 'object' && (options as T | null) !== null) return options;
  const text = `${where} ${kindOf(options)}; it must be the options of a grid: { local, hosts, auth, … }`;
  throw new GridError('INVALID_ARGUMENT', text);
}

function factoryOf({ inject = [], useFactory, useClass, useExisting }: GridModuleAsyncOptions): OptionsFactory {
  if ([useFactory, useClass, useExisting].filter((way) => way !== undefined).length !== 1) {
    throw new GridError('INVALID_ARGUMENT', 'forRootAsync: give exactly one of useFactory, useClass and useExisting');
  }
  if (useFactory) return { inject, useFactory, providers: [], source: 'useFactory' };
  const maker = (useClass ?? useExisting)!;
  const [way, source] = [useClass ? 'useClass' : 'useExisting', `${maker.name}.createGridOptions()`];
  const ask = (factory: GridOptionsFactory): ReturnType<GridOptionsFactory['createGridOptions']> => {
    if (typeof factory.createGridOptions === 'function') return factory.createGridOptions();
    const text = `forRootAsync: ${way} is ${maker.name}, which has no method createGridOptions() to give the options`;
    throw new GridError('INVALID_ARGUMENT', text);
  };
  return { inject: [maker], useFactory: ask, providers: useClass ? [useClass] : [], source };
}
