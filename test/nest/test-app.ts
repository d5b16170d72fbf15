import { Module, type INestApplication, type LoggerService, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { connectGrid, Grid, GridModule, type ConnectGridOptions, type GridModuleOptions } from 'nestjs-grid';
import { portOf } from '../ports.js';

export const SECRET = 'a secret of at least thirty-two bytes!';

/** Keeps what is logged, so that a test can say which lines it expects. */
export class LogBook implements LoggerService {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  log(): void {}
  debug(): void {}
  verbose(): void {}
  warn(message: unknown): void {
    this.warnings.push(String(message));
  }
  error(message: unknown): void {
    this.errors.push(String(message));
  }
}

export interface TestAppOptions {
  readonly metadata?: ModuleMetadata;
  readonly grid?: Partial<GridModuleOptions>;
  readonly connect?: ConnectGridOptions | false;
  readonly adapter?: 'express' | 'fastify';
  /** Runs between the making of the app and `connectGrid`. */
  readonly prepare?: (app: INestApplication) => void;
}

/** A root module with the grid of `local` beside what `metadata` holds. */
export function rootModule(
  local: string,
  hosts: readonly string[],
  { metadata = {}, grid = {} }: TestAppOptions,
): new () => object {
  class AppModule {}
  Module({
    ...metadata,
    imports: [
      GridModule.forRoot({
        local,
        hosts,
        auth: { secret: SECRET },
        drainTimeoutMs: 200,
        intervals: { redialMs: 50 },
        ...grid,
      }),
      ...(metadata.imports ?? []),
    ],
  })(AppModule);
  return AppModule;
}

/** An app that is made but does not listen yet. */
export async function createApp(
  local: string,
  hosts: readonly string[],
  options: TestAppOptions = {},
): Promise<{ app: INestApplication; log: LogBook }> {
  const log = new LogBook();
  const module = rootModule(local, hosts, { ...options, grid: { logger: log, ...options.grid } });
  const settings = { logger: log, abortOnError: false, forceCloseConnections: true } as const;
  const app: INestApplication =
    options.adapter === 'fastify'
      ? await NestFactory.create(module, new FastifyAdapter(), settings)
      : await NestFactory.create(module, settings);
  options.prepare?.(app);
  if (options.connect !== false) await connectGrid(app, options.connect);
  return { app, log };
}

/** An app that listens at the port of `local`. */
export async function startApp(
  local: string,
  hosts: readonly string[],
  options: TestAppOptions = {},
): Promise<{ app: INestApplication; log: LogBook; grid: Grid }> {
  const made = await createApp(local, hosts, options);
  await made.app.listen(portOf(local), '127.0.0.1');
  return { ...made, grid: made.app.get(Grid) };
}
