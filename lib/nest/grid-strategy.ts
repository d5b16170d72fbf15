import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { Server, type MessageHandler } from '@nestjs/microservices';
import { RequestContextHost } from '@nestjs/microservices/context/request-context-host.js';
import { filter, map, type Observable } from 'rxjs';
import {
  isContract,
  resolvePattern,
  type CallContext,
  type Contract,
  type HandlerFunction,
  type Pattern,
  type Route,
} from '../calls/index.js';
import { GridError } from '../errors/index.js';
import { specOf, type GridEvent } from '../manager/index.js';
import { directCallOf } from './direct-call.js';
import { GridContext } from './grid-context.js';
import { verifyInput } from './grid-input.js';
import { gridTransport } from './grid-transport.js';
import type { Grid } from './grid.js';
import { factsOf } from './handler-facts.js';
import { HandlerFilters } from './handler-filters.js';
import { HandlerOwners, type HandlerOwner } from './handler-owners.js';
import { HandlerRun, type HandlerRunPorts } from './handler-run.js';
import { errorOfFilter, gridErrorOf, logInternal, thrownAs } from './rpc-error.js';
import { UnseenValues } from './unseen-values.js';
import { watched } from './watched-result.js';

/** What a strategy asks of who runs it. */
export interface StrategyPorts {
  readonly grid: Grid;
  readonly modules: ModulesContainer;
  /** The config by which Nest builds the handlers' pipelines. */
  readonly config: () => ApplicationConfig;
  /** Opens the grid's own listener; does nothing where the grid shares the server of an HTTP app. */
  listen(): Promise<void>;
  close(): Promise<void>;
}

/** The events of `on`: those of `grid.events` by their type. */
export type GridServerEvents = { [Type in GridEvent['type']]: (event: Extract<GridEvent, { type: Type }>) => void };

/** Nest's side of a grid: takes the application's handlers and puts them, pipeline and all, into the grid's table. */
export class GridStrategy extends Server<GridServerEvents, GridEvent['type']> {
  override readonly transportId: symbol;
  /** True as soon as somebody hooks into the processing of calls; until then that costs nothing. */
  private hooked = false;
  private readonly owners: HandlerOwners;

  constructor(private readonly ports: StrategyPorts) {
    super();
    this.transportId = gridTransport(ports.grid.name);
    this.owners = new HandlerOwners(ports.modules);
  }

  listen(callback: (error?: unknown) => void): void {
    this.ports.listen().then(() => callback(), callback);
  }

  close(): Promise<void> {
    return this.ports.close();
  }

  on<Type extends keyof GridServerEvents>(type: Type, listener: GridServerEvents[Type]): void {
    this.ports.grid.events
      .pipe(filter((event): event is Extract<GridEvent, { type: Type }> => event.type === type))
      .subscribe(listener);
  }

  /** The type of each event of the grid. */
  override get status(): Observable<GridEvent['type']> {
    return this.ports.grid.events.pipe(map(({ type }) => type));
  }

  /** The grid. */
  unwrap<T = Grid>(): T {
    return this.ports.grid as T;
  }

  override setOnProcessingStartHook(hook: Parameters<Server['setOnProcessingStartHook']>[0]): void {
    this.hooked = true;
    super.setOnProcessingStartHook(hook);
  }

  override setOnProcessingEndHook(hook: Parameters<Server['setOnProcessingEndHook']>[0]): void {
    this.hooked = true;
    super.setOnProcessingEndHook(hook);
  }

  /** @throws GridError for a handler ID out of range and for a second handler of one pattern: the start fails. */
  override addHandler(
    pattern: Pattern,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const { grid } = this.ports;
    const owner = this.owners.of(extras, pattern);
    const { prefix, kind, contract, ...facts } = factsOf(extras);
    if (isContract(pattern)) throw contractAsPattern(pattern, isEventHandler, owner?.name);
    const route = routeOf(pattern, prefix, owner?.name);
    const spec = {
      codec: grid.options.codec,
      ...(contract && specOf(contract)),
      ...facts,
      kind: isEventHandler ? ('event' as const) : (kind ?? ('both' as const)),
    };
    if (owner) verifyInput(owner, spec);
    grid.handlers.add({
      ...spec,
      route,
      owner: owner?.name,
      run: this.runnerOf(pattern, callback, owner, isEventHandler),
      errorMapper: (thrown) => {
        const error = gridErrorOf(thrown);
        logInternal(error, route.name, grid.options.logger);
        return error;
      },
    });
    // Nest's own table is only for who inspects the server: events would run twice by its chains
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    this.messageHandlers.set(route.name, callback);
  }

  private runnerOf(
    pattern: Pattern,
    callback: MessageHandler,
    owner: HandlerOwner | undefined,
    isEventHandler: boolean,
  ): HandlerFunction {
    const { config, modules } = this.ports;
    const filters = owner && new HandlerFilters(owner, config(), modules);
    const { logger } = this.ports.grid.options;
    const ports: HandlerRunPorts = {
      filters,
      errorOf: isEventHandler ? causeOfFailure : errorOfFilter,
      // what an event gives is for nobody
      unseen: owner && !isEventHandler ? UnseenValues.of(owner, config(), logger) : undefined,
    };
    // events too: of several calls each begins in its turn, and the pipeline takes its time
    const direct = owner && directCallOf(owner, config());
    // Nest makes a request of its own for a call of request scope; one of ours lets us find its providers again
    const perCall = owner !== undefined && !owner.controller.isDependencyTreeStatic();
    const call = callback as (...args: unknown[]) => Promise<unknown>;
    return (payload: unknown, facts: CallContext) => {
      const context = new GridContext(facts);
      const request = perCall ? RequestContextHost.create(pattern as object, payload, context) : undefined;
      const run = new HandlerRun(ports, payload, context, request);
      if (direct && !this.hooked) return run.called(direct);
      const piped = (): Promise<unknown> => (request ? call(request, payload, context) : call(payload, context));
      return this.hooked ? this.runHooked(run, piped) : piped().then((result) => run.adapted(result));
    };
  }

  private runHooked(run: HandlerRun, piped: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.runWithProcessingHooks(run.context, async (end) => {
        try {
          const result = await piped();
          // what comes when the call is over is used by nobody: an Observable is not even subscribed to
          if (run.context.signal.aborted) end();
          resolve(watched(run.adapted(result), end));
        } catch (error) {
          end();
          reject(error);
        }
      });
    });
  }
}

/** Nobody is answered for an event, and the grid logs its failure: what it logs must be the error that was thrown. */
function causeOfFailure(given: unknown): unknown {
  return GridError.is(given) ? thrownAs(given) : given;
}

/** Nest's decorators take any object: it would be a pattern that no caller of the contract calls. */
function contractAsPattern({ kind, name }: Contract, isEventHandler: boolean, owner: string | undefined): GridError {
  const decorator = kind === 'request' ? 'GridRequest' : 'GridStream';
  const advice = isEventHandler ? 'an event has none: name it by an ID or a pattern' : `take @${decorator}(…)`;
  const where = owner === undefined ? '' : `${owner}: `;
  return new GridError('INVALID_ARGUMENT', `${where}${name} is a contract, no pattern; ${advice}`);
}

function routeOf(pattern: Pattern, prefix: string | undefined, owner: string | undefined): Route {
  try {
    return resolvePattern(pattern, prefix);
  } catch (error) {
    throw GridError.is(error) && owner !== undefined ? error.with({ message: `${owner}: ${error.message}` }) : error;
  }
}
