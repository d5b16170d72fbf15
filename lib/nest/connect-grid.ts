import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { findLifecycle } from './find-lifecycle.js';

/** Options of `connectGrid()`. */
export interface ConnectGridOptions {
  /** Name of the grid. Default: the one without a name, or the only one. */
  readonly grid?: string;
  /**
   * Whether the app's global guards, pipes, interceptors and filters count for grid calls too. No default: where the
   * app has any and this is not given, the start fails.
   */
  readonly inheritAppConfig?: boolean;
}

/**
 * Attaches the grid to an HTTP app, on the app's own server and port. It may stand anywhere before `app.listen()`; the
 * grid starts with the app, after all of its init hooks, and a grid that cannot start fails that start. In an app that
 * runs already it starts at once.
 */
export async function connectGrid(app: INestApplication, options: ConnectGridOptions = {}): Promise<void> {
  const modules = app.get(ModulesContainer, { strict: false });
  await findLifecycle(modules, options.grid).connect(app, options.inheritAppConfig);
}
