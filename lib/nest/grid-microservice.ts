import { ModulesContainer } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { verifyOptionNames } from '../calls/index.js';
import { findLifecycle } from './find-lifecycle.js';

/** Options of `gridMicroservice()`. */
export interface GridMicroserviceOptions {
  /** Name of the grid. Default: the one without a name, or the only one. */
  readonly grid?: string;
}

const NAMES: Readonly<Record<keyof GridMicroserviceOptions, true>> = { grid: true };

/**
 * For a process without HTTP routes: `NestFactory.createMicroservice(AppModule, gridMicroservice())`. The grid opens a
 * listener of its own at the host and port of `local`, or where the option `listen` says.
 */
export function gridMicroservice(options: GridMicroserviceOptions = {}): AsyncMicroserviceOptions {
  verifyOptionNames('gridMicroservice', options, Object.keys(NAMES));
  return {
    inject: [ModulesContainer],
    useFactory: (modules: ModulesContainer) => ({ strategy: findLifecycle(modules, options.grid).standalone() }),
  };
}
