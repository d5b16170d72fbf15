import {
  Module,
  type INestApplication,
  type ModuleMetadata,
  type NestApplicationOptions,
  type Type,
} from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { shownOption } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { getGridToken, Grid, GridModule, type GridModuleOptions } from '../nest/index.js';

/** What `Test.createTestingModule()` of `@nestjs/testing` gives: as much of it as is needed here. */
export interface TestingAppBuilder {
  overrideProvider(token: unknown): { useFactory(options: { factory: () => unknown }): unknown };
  compile(): Promise<{
    createNestApplication(adapter: AbstractHttpAdapter, options: NestApplicationOptions): INestApplication;
    createNestApplication(options: NestApplicationOptions): INestApplication;
  }>;
}

/** What the apps of a test are made of. */
export interface TestingAppOptions {
  /** What the root module of each app holds beside its grid: the same for all, or made per host. */
  readonly metadata?: ModuleMetadata | ((index: number, origin: string) => ModuleMetadata);
  /**
   * Makes each app from a module that has a grid of its own, in place of `metadata`:
   * `() => Test.createTestingModule({ imports: [AppModule] })`, with what else is to be overridden. That grid is
   * replaced, and its own options are not asked for.
   */
  readonly app?: (index: number, origin: string) => TestingAppBuilder;
  /** Makes the HTTP adapter of each app. Default: Express, by `@nestjs/platform-express`. */
  readonly adapter?: () => AbstractHttpAdapter;
}

const SETTINGS: NestApplicationOptions = { logger: ['error', 'warn'], abortOnError: false };

/** The app of a host, with a grid of these options. @throws GridError INVALID_ARGUMENT for two ways to make it. */
export async function testingApp(
  { metadata, app, adapter }: TestingAppOptions,
  index: number,
  grid: GridModuleOptions,
): Promise<INestApplication> {
  if (app === undefined) {
    const module = rootModule(metadata, index, grid);
    return adapter ? NestFactory.create(module, adapter(), SETTINGS) : NestFactory.create(module, SETTINGS);
  }
  if (metadata !== undefined) {
    throw new GridError('INVALID_ARGUMENT', 'metadata beside app: what the app shall have belongs to its own module');
  }
  const { isGlobal: _, ...options } = grid;
  const builder: TestingAppBuilder | undefined = app(index, grid.local!);
  if (typeof builder?.overrideProvider !== 'function') {
    const text = `app gave ${shownOption(builder)}; it must give what Test.createTestingModule() does, not compiled`;
    throw new GridError('INVALID_ARGUMENT', text);
  }
  builder.overrideProvider(getGridToken(grid.name)).useFactory({ factory: () => new Grid(options) });
  const module = await builder.compile();
  return adapter ? module.createNestApplication(adapter(), SETTINGS) : module.createNestApplication(SETTINGS);
}

function rootModule(metadata: TestingAppOptions['metadata'] = {}, index: number, grid: GridModuleOptions): Type {
  if (typeof metadata === 'function' && /^class\b/.test(Function.prototype.toString.call(metadata))) {
    const module = metadata.name;
    const ways = `{ imports: [${module}] }, or the option app where ${module} has a grid of its own`;
    throw new GridError('INVALID_ARGUMENT', `metadata is the class ${module}; it must be ${ways}`);
  }
  const own = typeof metadata === 'function' ? metadata(index, grid.local!) : metadata;
  class TestingRootModule {}
  Module({ ...own, imports: [GridModule.forRoot(grid), ...(own.imports ?? [])] })(TestingRootModule);
  return TestingRootModule;
}
