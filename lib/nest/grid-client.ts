import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { defer, filter, Observable, ReplaySubject, startWith, switchMap, take } from 'rxjs';
import {
  isContract,
  shownOption,
  type AnswerOf,
  type CallOptions,
  type Pattern,
  type NeedsPayload,
  type PayloadArgs,
  type PayloadOf,
  type SendableContract,
} from '../calls/index.js';
import { GridError, inOneLine, isOmitted } from '../errors/index.js';
import type { GridPeer, PeerState } from '../manager/index.js';
import { LineBudget, systemClock } from '../time/index.js';
import { GridRecord, GridRecordBuilder } from './grid-record.js';
import type { Grid } from './grid.js';
import { findLiveGrid, gridStarts, isGridMissing } from './live-grids.js';

/** What a `GridClient` is made with, by hand or by Nest's `ClientsModule`. */
export interface GridClientOptions {
  /**
   * The grid, what gives it, or its name. Without it the only grid of the process, found at the first use: for Nest's
   * `ClientsModule.register`, which knows no injection.
   */
  readonly grid?: Grid | (() => Grid) | string;
  /** Origin of the host that is called. */
  readonly peer: string;
}

/** Nest's `ClientProxy` for one host of a grid. All clients of a host share the grid's one connection to it. */
export class GridClient extends ClientProxy<Record<PeerState, () => void>> {
  private readonly logger = new Logger(GridClient.name);
  private found: GridPeer | undefined = undefined;

  /** @throws GridError INVALID_ARGUMENT for options that name no host: the compiler does not see those of a module. */
  constructor(private readonly options: GridClientOptions) {
    super();
    const given: Partial<Record<keyof GridClientOptions, unknown>> | undefined = options;
    const peer = given?.peer;
    if (typeof peer === 'string' && peer !== '') return;
    const text = `GridClient: peer is ${shownOption(peer)}; it must be the origin of a host, like http://node-2:9000`;
    throw new GridError('INVALID_ARGUMENT', text);
  }

  /**
   * Finds the grid; the connection is made by the grid itself, when the app has started, and again whenever it is
   * lost. Rejects where no grid or several fit, or the host is not in its list.
   */
  async connect(): Promise<GridPeer> {
    return this.peer();
  }

  /** Does nothing: the connection belongs to the grid, which ends it with the app. */
  close(): void {}

  /** The peer. */
  unwrap<T = GridPeer>(): T {
    return this.peer() as T;
  }

  /** States of the peer, from the present one on; before the grid is made or connected nothing, then all of them. */
  override get status(): Observable<PeerState> {
    return defer(() =>
      gridStarts.pipe(
        startWith(undefined),
        filter(() => !this.isEarly()),
        take(1),
        switchMap(() => this.peer().status),
      ),
    );
  }

  /**
   * Calls back each time the peer comes into that state; may be asked in the constructor of a provider already. Where
   * no grid or several fit once there are any, or the host is not in the list, that is logged.
   */
  override on(state: PeerState, listener: () => void): void {
    this.status.subscribe({
      next: (now) => {
        if (now === state) listener();
      },
      error: (error: unknown) => this.logger.error(`listener for ${state} of ${this.options.peer}: ${String(error)}`),
    });
  }

  /**
   * One answer or many. Cold: each subscription makes a call, unsubscribing cancels it. Fails with what Nest's other
   * transports give for an `RpcException`, a plain object, else with a GridError.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- as Nest declares it
  override send<TResult = any, TInput = any>(to: Pattern, data?: TInput): Observable<TResult>;
  override send<C extends SendableContract>(to: C & NeedsPayload<PayloadOf<C>>): Observable<unknown>;
  override send<C extends SendableContract>(to: C, ...args: PayloadArgs<PayloadOf<C>, never>): Observable<AnswerOf<C>>;
  override send(to: unknown, data?: unknown): Observable<unknown> {
    return new Observable((subscriber) => {
      const { packet, options } = this.packed(to, data);
      return this.peer().sendTo(subscriber, packet.pattern as Pattern, packet.data, options, this.errorOf);
    });
  }

  /**
   * Sent at once, subscribed or not; completes when the peer has the event. A failure that nobody is subscribed to is
   * logged.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- as Nest declares it
  override emit<TResult = any, TInput = any>(to: Pattern, data?: TInput): Observable<TResult> {
    const outcome = new ReplaySubject<TResult>(1);
    defer(() => {
      const { packet, options } = this.packed(to, data);
      return this.dispatch(packet, options);
    }).subscribe({
      next: () => outcome.next(undefined as TResult),
      error: (error: unknown) => {
        if (!outcome.observed) this.logLost(to, error);
        outcome.error(this.serializeError(error));
      },
      complete: () => outcome.complete(),
    });
    return outcome;
  }

  /** Nest's way in for what it sends itself; our `send` does not pass here. */
  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const call = this.peer()
      .send(packet.pattern as Pattern, packet.data)
      .subscribe({
        next: (response) => callback({ response }),
        error: (err: unknown) => callback({ err }),
        complete: () => callback({ isDisposed: true }),
      });
    return () => call.unsubscribe();
  }

  protected override async dispatchEvent<T = unknown>(packet: ReadPacket): Promise<T> {
    return (await this.dispatch(packet, undefined)) as T;
  }

  /** What a handler said of its error is what Nest's transports pass on: a plain object, of a filter a text too. */
  protected override serializeError(error: unknown): unknown {
    if (!GridError.is(error) || !error.remote || error.code !== 'UNKNOWN') return error;
    const { details } = error;
    if (typeof details === 'string' && details === error.message) return details;
    const isObject = typeof details === 'object' && details !== null;
    if (isObject && !isOmitted(details)) return details;
    // what was too large to be sent leaves at least its text, as Nest's transports give one
    return { status: 'error', message: error.message, ...(isObject && details) };
  }

  private readonly errorOf = (error: unknown): unknown => this.serializeError(error);

  private async dispatch(packet: ReadPacket, options: CallOptions | undefined): Promise<void> {
    await this.peer().emit(packet.pattern as Pattern, packet.data, options);
  }

  private logLost(to: Pattern, error: unknown): void {
    const key = this.found ?? this;
    const budget = LOST.get(key) ?? new LineBudget(systemClock);
    LOST.set(key, budget);
    // it may be the text of the peer
    const text = `event ${shown(to)} to ${this.options.peer}: ${inOneLine(String(error))}`;
    budget.spend(text, (line) => this.logger.error(line));
  }

  private packed(to: unknown, data: unknown): { packet: ReadPacket; options: CallOptions | undefined } {
    const record = data instanceof GridRecord ? data : undefined;
    if (data instanceof GridRecordBuilder) throw new GridError('INVALID_ARGUMENT', UNBUILT, { notSent: true });
    const packet = this.createPacket(to, record ? record.data : data);
    // what a dispatch hook attaches is for tracing: a peer that cannot carry it is called all the same
    const traceContext = packet.metadata;
    if (!record && !traceContext) return { packet, options: undefined };
    return { packet, options: { timeoutMs: record?.timeoutMs, metadata: record?.metadata, traceContext } };
  }

  private peer(): GridPeer {
    this.found ??= this.grid().peer(this.options.peer);
    return this.found;
  }

  private grid(): Grid {
    const { grid } = this.options;
    if (grid === undefined || typeof grid === 'string') return findLiveGrid(grid);
    return typeof grid === 'function' ? grid() : grid;
  }

  /** True while the app is being made: Nest may make this client before its grid. */
  private isEarly(): boolean {
    const { grid } = this.options;
    if (this.found || typeof grid === 'object') return false;
    if (typeof grid !== 'function') return isGridMissing(grid);
    // what Nest gives of a provider that it has not made yet
    const made: Grid | null | undefined = grid();
    return made === null || made === undefined;
  }
}

/**
 * For lines about events that nobody asks for: while a peer is away thousands may fail. By the peer, for an application
 * may make a client for each event; by the client where there is no grid to have one.
 */
const LOST = new WeakMap<GridPeer | GridClient, LineBudget>();

/** It would be sent as the object that it is. */
const UNBUILT = 'the payload is a GridRecordBuilder; its build() gives what can be sent';

/** A pattern for the log, whatever it holds: JSON would throw for a bigint, or for a contract with its schemas. */
function shown(to: unknown): string {
  if (isContract(to)) return to.name;
  return typeof to === 'string' ? JSON.stringify(to) : inspect(to, { breakLength: Infinity });
}
