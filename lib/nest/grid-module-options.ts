import type { DynamicModule, ForwardReference, InjectionToken, OptionalFactoryDependency, Type } from '@nestjs/common';
import type { GridOptions } from '../manager/index.js';

/** What `GridModule.forRoot()` takes: the options of the grid, and who sees it. */
export interface GridModuleOptions extends GridOptions {
  /** True: every module sees the grid without an import. Default true. */
  readonly isGlobal?: boolean;
}

/** A class that makes the options: `useClass`, `useExisting`. */
export interface GridOptionsFactory {
  /** Asked once, when the grid is made. */
  createGridOptions(): Promise<GridOptions> | GridOptions;
}

/** Exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface GridModuleAsyncOptions {
  /** Stands here, for it is needed before the options are made. Default: the grid without a name. */
  readonly name?: string;
  /** True: every module sees the grid without an import. Default true. */
  readonly isGlobal?: boolean;
  /** Modules whose providers `inject` or the class needs. */
  readonly imports?: (Type | DynamicModule | Promise<DynamicModule> | ForwardReference)[];
  /** Tokens of what `useFactory` gets. */
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  /** Its parameters are what `inject` names. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as in Nest's own factories: what `inject` gives is not typed
  readonly useFactory?: (...args: any[]) => Promise<GridOptions> | GridOptions;
  /** A class that is made for it. */
  readonly useClass?: Type<GridOptionsFactory>;
  /** One that a module of `imports` provides. */
  readonly useExisting?: Type<GridOptionsFactory>;
}

/** A client to be provided under `name`, for `@InjectGridClient(name)`. */
export interface GridClientDefinition {
  /** The token, for `@InjectGridClient(name)`. */
  readonly name: string | symbol;
  /** Origin of the host that is called. */
  readonly peer: string;
  /** Name of the grid. Default: the one without a name. */
  readonly grid?: string;
}
