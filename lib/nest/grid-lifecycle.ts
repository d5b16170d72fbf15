import type { INestApplication, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { NestMicroservice } from '@nestjs/microservices';
import { errorMonitor, type EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { GridError } from '../errors/index.js';
import { portOf } from '../manager/index.js';
import { copyEnhancers, globalEnhancersOf } from './global-enhancers.js';
import { GridExceptionFilter } from './grid-exception.filter.js';
import { GridStrategy } from './grid-strategy.js';
import type { Grid } from './grid.js';
import { addLiveGrid, tellGridStart } from './live-grids.js';
import { handlersOfProviders, refuseStrayHandlers } from './stray-handlers.js';

/** Between the start of an HTTP app and the error that its grid is not connected. */
const LATE_CONNECT_MS = 1_000;

/** How a grid reaches its peers and handlers; `none` until the application says so. */
type Attachment =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'app';
      readonly app: INestApplication;
      readonly service: NestMicroservice;
      readonly inherit: boolean | undefined;
    }
  | { readonly kind: 'standalone' }
  | { readonly kind: 'closed' };

/** Starts a grid after everything else of its application, and ends it before everything else: see `goLast`. */
export class GridLifecycle implements OnApplicationBootstrap, OnModuleDestroy {
  private attachment: Attachment = { kind: 'none' };
  /** True once all other bootstrap hooks of the application have run. */
  private bootstrapped = false;
  private release: (() => void)[] = [];
  private closing: Promise<void> | undefined = undefined;

  constructor(
    readonly grid: Grid,
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
    private readonly http: HttpAdapterHost,
  ) {
    this.goLast();
  }

  /** Attaches the grid to an HTTP app; it starts with the app, or at once where the app has started. */
  async connect(app: INestApplication, inherit: boolean | undefined): Promise<void> {
    this.claim();
    const strategy = this.strategyWith(
      async () => {},
      () => service['applicationConfig'],
    );
    const deferred = { deferInitialization: true };
    const service: NestMicroservice = app.connectMicroservice<object>({ strategy }, deferred) as NestMicroservice;
    // the app's own hooks count; and startAllMicroservices() is for the other transports, it must not start this one
    service.setIsInitHookCalled(true);
    service.listen = async () => {};
    service['applicationConfig'].useGlobalFilters(new GridExceptionFilter());
    this.attachment = { kind: 'app', app, service, inherit };
    if (this.bootstrapped || isInitialized(app)) await this.startIn(app, service, inherit);
  }

  /**
   * For a process without an HTTP app: Nest calls the strategy's `listen` when all handlers are registered. Refused in
   * an app with HTTP: its microservices get a config without its guards, and our filter would stand among its own.
   */
  standalone(): GridStrategy {
    if (this.http.httpAdapter) {
      const text = `this app has an HTTP server: put '${this.grid.connectText()}' before app.listen()`;
      throw new GridError('FAILED_PRECONDITION', `${text}, in place of gridMicroservice()`);
    }
    this.claim();
    this.attachment = { kind: 'standalone' };
    // first in the list is asked last; Nest hands the list out as it is
    this.config.getGlobalFilters().unshift(new GridExceptionFilter());
    const listen = async (): Promise<void> => {
      this.refuseStrayHandlers();
      this.admitCalls();
      await this.grid.listen();
      await this.grid.start();
    };
    return this.strategyWith(listen, () => this.config);
  }

  async onApplicationBootstrap(): Promise<void> {
    this.bootstrapped = true;
    const { attachment } = this;
    if (attachment.kind === 'app') await this.startIn(attachment.app, attachment.service, attachment.inherit);
    if (attachment.kind === 'none') this.tellNotConnected();
  }

  /** Before any other provider is torn down: handlers that still run may need it. */
  onModuleDestroy(): Promise<void> {
    return this.close();
  }

  /** Ends the grid; may be called again. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  /** An HTTP app may still be connected behind its `listen()`; any other one had to be before. */
  private tellNotConnected(): void {
    this.grid.missApp();
    const { logger, clock } = this.grid.options;
    const tell = (): void => logger.error(this.grid.notConnectedText());
    if (!this.http.httpAdapter) return tell();
    const timer = clock.setTimer(LATE_CONNECT_MS, tell);
    this.release.push(() => timer.cancel());
  }

  private async closeOnce(): Promise<void> {
    this.attachment = { kind: 'closed' };
    try {
      await this.grid.close();
    } finally {
      for (const release of this.release.splice(0)) release();
    }
  }

  private async startIn(app: INestApplication, service: NestMicroservice, inherit: boolean | undefined): Promise<void> {
    const enhancers = globalEnhancersOf(this.config);
    if (inherit === undefined && enhancers.length > 0) throw new GridError('FAILED_PRECONDITION', undecided(enhancers));
    if (inherit) copyEnhancers(this.config, service['applicationConfig']);
    this.refuseStrayHandlers();
    service.registerListeners();
    service.setIsInitialized(true);
    const server = app.getHttpServer() as Server;
    this.grid.attachForGood(server);
    this.tellUnusedListener();
    this.admitCalls();
    const started = this.grid.start();
    if (this.http.listening) {
      this.comparePorts(server);
      await started;
      return;
    }
    // peers that dial us come only when the app listens, so the app must not wait here for them
    started.catch((error: unknown) => {
      // who ends the app while it waits for peers knows that
      if (GridError.is(error) && error.reason === 'closed') return;
      this.grid.options.logger.error(`start of the grid: ${String(error)}`);
    });
    const cannotListen = (error: Error): void => this.closeUnheard(error);
    // Nest's own listener, or none, decides what becomes of the error
    const faults: EventEmitter = server;
    faults.once(errorMonitor, cannotListen);
    const heard = (): unknown => faults.off(errorMonitor, cannotListen);
    const listening = this.http.listen$.subscribe(() => {
      heard();
      this.comparePorts(server);
    });
    this.release.push(() => listening.unsubscribe(), heard);
  }

  /**
   * Another process has the port, and with it the name: to its peers this one would be that host. It is told before any
   * dial can be over, for the app listens in the turn in which the grid starts.
   */
  private closeUnheard(error: Error): void {
    const { logger, local } = this.grid.options;
    logger.error(`the app cannot listen: ${error.message}. This grid is closed: it must not pass for ${local}`);
    this.close().catch((fault: unknown) => logger.error(`end of the grid: ${String(fault)}`));
  }

  private admitCalls(): void {
    this.grid.admitCalls();
    tellGridStart();
  }

  private refuseStrayHandlers(): void {
    const lifecycles = lifecyclesOf(this.modules);
    refuseStrayHandlers(
      this.modules,
      lifecycles.map(({ grid }) => grid.name),
    );
    const { name, options } = this.grid;
    for (const handler of handlersOfProviders(this.modules, name, lifecycles[0] === this)) {
      const why = 'its class is a provider, and Nest looks for handlers in controllers only';
      options.logger.warn(`handler ${handler} is never called: ${why}`);
    }
  }

  /** A module that other processes load by `gridMicroservice()` may well have the option. */
  private tellUnusedListener(): void {
    const { listen, logger } = this.grid.options;
    if (!listen.tls && listen.host === undefined && listen.port === undefined) return;
    logger.warn("the option listen is for gridMicroservice(): this grid is served by the app's own server");
  }

  private comparePorts(server: Server): void {
    const address = server.address();
    const { local, logger } = this.grid.options;
    if (address === null || (typeof address === 'object' && address.port === portOf(new URL(local)))) return;
    const actual = typeof address === 'object' ? `port ${address.port}` : address;
    logger.warn(`the app listens on ${actual}, but peers dial ${local}; right only if something forwards that port`);
  }

  private strategyWith(listen: () => Promise<void>, config: () => ApplicationConfig): GridStrategy {
    const { grid, modules } = this;
    return new GridStrategy({ grid, modules, config, listen, close: () => this.close() });
  }

  private claim(): void {
    const { kind } = this.attachment;
    if (kind === 'none') {
      // what tells that it is not connected
      for (const release of this.release.splice(0)) release();
      this.grid.awaitApp();
      this.release.push(addLiveGrid(this.grid));
      return;
    }
    const text = kind === 'closed' ? 'is closed' : 'is connected already';
    throw new GridError('FAILED_PRECONDITION', `grid '${this.grid.name}' ${text}`);
  }

  /**
   * Nest runs bootstrap hooks from the farthest module to the root and destroy hooks the other way round. Behind the
   * root means: after all bootstrap hooks, so that no peer reaches a provider that is not ready, and before all
   * destroy hooks, so that no call loses its provider.
   */
  private goLast(): void {
    const { name } = this.grid;
    const ours = [...this.modules.values()].filter(({ providers }) => providers.has(lifecycleToken(name)));
    if (ours.length > 1) {
      const text = `there are ${ours.length} grids named '${name}': call GridModule.forRoot once, or give each a name`;
      throw new GridError('INVALID_ARGUMENT', text);
    }
    for (const module of ours) module.distance = -1;
  }
}

/** Those of all grids of the app. */
export function lifecyclesOf(modules: ModulesContainer): GridLifecycle[] {
  const instances = [...modules.values()].flatMap(({ providers }) => [...providers.values()]);
  return instances.map(({ instance }) => instance).filter((instance) => instance instanceof GridLifecycle);
}

/** Where the lifecycle of the grid of that name is provided. */
export function lifecycleToken(name: string): string {
  return `nestjs-grid:lifecycle:${name}`;
}

/** Nest runs no hooks of a module that is loaded lazily, behind the start. */
function isInitialized(app: INestApplication & { readonly isInitialized?: boolean }): boolean {
  return app.isInitialized === true;
}

function undecided(enhancers: readonly string[]): string {
  return (
    `the app has global ${enhancers.join(', ')}: decide whether they count for grid calls too, ` +
    'by connectGrid(app, { inheritAppConfig: true }) or { inheritAppConfig: false }'
  );
}
