import { afterEach, beforeEach, expect } from '@jest/globals';
import {
  Caller,
  HandlerTable,
  json,
  resolvePattern,
  type CallerPorts,
  type HandlerFunction,
  type HandlerSpec,
  type Pattern,
} from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { silentObserver, type GridLogger } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { muxPair, type MuxPair, type MuxPairOptions } from '../mux/mux-pair.js';

export const CALLER = 'http://a:9000';
export const HANDLER = 'http://b:9000';

/** A caller at `a` and a handler table at `b`, joined in memory. */
export interface GridLine {
  readonly caller: Caller;
  readonly table: HandlerTable;
  readonly pair: MuxPair;
  readonly clock: ManualClock;
  /** What the handler side logged as errors. */
  readonly logged: string[];
  /** What the caller's side logged as errors. */
  readonly inputFaults: string[];
  /** What the caller's side dropped. */
  readonly drops: string[];
  handle(to: Pattern, run: HandlerFunction, more?: Partial<HandlerSpec>): () => void;
}

/** Those of the test that runs. */
const made: GridLine[] = [];

/** A line for each test of a file. Behind it those that it made itself are cut too, and no timer is left. */
export function lineForEachTest(take: (line: GridLine) => void): void {
  beforeEach(() => {
    made.length = 0;
    take(gridLine());
  });
  afterEach(async () => {
    for (const { pair, clock } of made) {
      pair.cut();
      await pair.settle();
      expect(clock.timers).toBe(0);
    }
  });
}

export function gridLine(options: MuxPairOptions = {}, ports: Partial<CallerPorts> = {}): GridLine {
  const clock = new ManualClock();
  const logged: string[] = [];
  const logger: GridLogger = { log() {}, warn() {}, error: (text) => logged.push(text) };
  const table = new HandlerTable({ clock, logger });
  const inputFaults: string[] = [];
  const drops: string[] = [];
  const observerA = { ...silentObserver, dropped: (what: string) => void drops.push(what) };
  const pair = muxPair({ clock, handlersB: table.for(() => CALLER), observerA, ...options });
  const caller = new Caller({
    origin: HANDLER,
    line: () => pair.a,
    observer: silentObserver,
    codec: json(),
    clock,
    logger: { ...logger, error: (text) => inputFaults.push(text) },
    interceptors: [],
    ...ports,
  });
  const handle = (to: Pattern, run: HandlerFunction, more: Partial<HandlerSpec> = {}): (() => void) =>
    table.add({ route: resolvePattern(to), kind: 'both', codec: json(), run, ...more });
  const line = { caller, table, pair, clock, logged, inputFaults, drops, handle };
  made.push(line);
  return line;
}

/** The GridError that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<GridError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome && GridError.is(outcome.error)) return outcome.error;
  throw new Error(`expected a GridError, got ${JSON.stringify(outcome)}`);
}

/** All messages of an iterable. */
export async function collect(messages: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

/** A Promise that is settled from outside. */
export function signalled<T = void>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
