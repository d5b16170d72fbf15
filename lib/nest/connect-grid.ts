import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { isThenable, shownOption, verifyOptionNames } from '../calls/index.js';
import { GridError } from '../errors/index.js';
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

const NAMES: Readonly<Record<keyof ConnectGridOptions, true>> = { grid: true, inheritAppConfig: true };

/**
 * Attaches the grid to an HTTP app, on the app's own server and port. It may stand anywhere before `app.listen()`; the
 * grid starts with the app, after all of its init hooks, and a grid that cannot start fails that start. In an app that
 * runs already it starts at once.
 */
export async function connectGrid(app: INestApplication, options: ConnectGridOptions = {}): Promise<void> {
  verifyOptionNames('connectGrid', options, Object.keys(NAMES));
  const { grid, inheritAppConfig } = options;
  if (inheritAppConfig !== undefined && typeof inheritAppConfig !== 'boolean') {
    const text = `connectGrid: inheritAppConfig is ${shownOption(inheritAppConfig)}; it must be true or false`;
    throw new GridError('INVALID_ARGUMENT', text);
  }
  verifyIsApp(app);
  // one of createApplicationContext or createMicroservice
  if (typeof app.connectMicroservice !== 'function') {
    const text = 'connectGrid(app) is for an app with HTTP, of NestFactory.create(). Without HTTP, in a script too';
    const way = 'make the app by NestFactory.createMicroservice(AppModule, gridMicroservice()) and await app.listen()';
    throw new GridError('FAILED_PRECONDITION', `${text}, ${way}`);
  }
  if (isPreview(app)) return;
  const modules = app.get(ModulesContainer, { strict: false });
  await findLifecycle(modules, grid).connect(app, inheritAppConfig);
}

/** Nest makes no provider then, and does not listen: there is no grid, and nothing to connect. */
function isPreview(app: INestApplication & { readonly appOptions?: { readonly preview?: boolean } }): boolean {
  return app.appOptions?.preview === true;
}

/** An `await` that was forgotten is what it mostly is. */
function verifyIsApp(app: unknown): void {
  const isPromise = isThenable(app);
  if (typeof app === 'object' && app !== null && !isPromise) return;
  const what = isPromise ? 'a Promise' : shownOption(app);
  const text = `connectGrid: app is ${what}; it must be the app itself: await NestFactory.create(AppModule)`;
  throw new GridError('INVALID_ARGUMENT', text);
}
