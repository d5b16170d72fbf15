import type { GridError } from '../errors/index.js';
import type { CallContext } from './call-context.js';
import type { Codec } from './codec.js';
import type { Route } from './pattern.js';
import type { StandardSchema } from './standard-schema.js';

/**
 * What answers a call: gives a value, a Promise, an Observable, an AsyncIterable (an async generator), a Readable, or
 * an Observable whose single value is one of the latter two. Arrays, strings, Buffers and plain iterables are values.
 */
export type HandlerFunction = (payload: unknown, context: CallContext) => unknown;

/**
 * - `request`: single answers only; `stream()` is refused.
 * - `stream`: streams only; `request()` is refused with "streams: call stream()".
 * - `both`: the caller's kind of call decides.
 * - `event`: answered on receipt, then run; several handlers of one event all run.
 */
export type HandlerKind = 'request' | 'stream' | 'both' | 'event';

/** One handler, as it is registered. */
export interface HandlerSpec {
  /** Made by `resolvePattern`; its `name` stands in errors and logs. */
  readonly route: Route;
  /** Where it was declared, for the error about a second one: `DiskController.info`. */
  readonly owner?: string;
  readonly kind: HandlerKind;
  readonly run: HandlerFunction;
  readonly codec: Codec;
  /** Messages to the handler that may be unacknowledged, at most 2^32-1. Default 0: no input. Counts for streams. */
  readonly inCapacity?: number;
  /** Messages to the caller that may be unacknowledged, 1 to 2^32-1. Default 32. */
  readonly outCapacity?: number;
  /**
   * Values of an Observable that may wait for credit, 0 as 1; past it the stream ends: RESOURCE_EXHAUSTED. Default
   * 1,024.
   */
  readonly outBuffer?: number;
  /**
   * Calls that may run at a time, over all peers; one more waits in the queue. Default: no limit. The handlers of one
   * event share the places of the first of them.
   */
  readonly concurrency?: number;
  /** Calls that may wait for their turn; one more is refused with RESOURCE_EXHAUSTED (`notSent`). Default 0. */
  readonly queue?: number;
  /** Checks the payload before the handler runs: INVALID_ARGUMENT with the paths. */
  readonly payloadSchema?: StandardSchema;
  /** Checks each message of the input: INVALID_ARGUMENT with the paths, thrown to who reads it. */
  readonly inputSchema?: StandardSchema;
  /**
   * Makes the error that the caller gets of what a handler threw. Default: a GridError as it is, anything else
   * INTERNAL "Internal server error", logged and never sent.
   */
  readonly errorMapper?: (thrown: unknown) => GridError;
}

/** Capacities travel in 32 bits (wire spec §11, `capacity`). */
export const MOST_CAPACITY = 0xffff_ffff;
/** Messages to the caller that may be unacknowledged where a handler names no number. */
export const DEFAULT_OUT_CAPACITY = 32;
/** Values of an Observable that may wait for credit where a handler names no number. */
export const DEFAULT_OUT_BUFFER = 1024;
