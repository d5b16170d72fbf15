import { types } from 'node:util';
import type { GridCode, GridReason } from './code.js';

/** What is known of an error beside its code and text. */
export interface GridErrorFacts {
  /** True iff the other host answered with this error, a refusal included. Default false. */
  remote?: boolean;
  /** Origin of the other end of the call. */
  peer?: string;
  /** What was called, as the caller wrote it. */
  pattern?: string;
  /** The finer cause inside the code. */
  reason?: GridReason;
  /** True iff the handler certainly never ran: a retry is safe. Default false. */
  notSent?: boolean;
  /** What the application gave along. */
  details?: unknown;
  /** The foreign error that this one stands for. Never crosses the wire. */
  cause?: unknown;
}

// Two copies of this package in one process (ESM beside a bundled one) must know each other's errors.
const BRAND = Symbol.for('nestjs-grid.GridError');

/**
 * The one error class of the grid. `message` is the bare text; the code stands in `code` and at the start of
 * `toString()` only.
 */
export class GridError extends Error {
  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
    Object.defineProperty(this.prototype, 'name', { value: 'GridError' });
  }

  /** What went wrong, one of the closed list: the one thing to decide by. */
  readonly code: GridCode;
  /** True iff the other host answered with this error, a refusal included. */
  readonly remote: boolean;
  /** True iff the handler certainly never ran: a retry is safe. False: it may have run. */
  readonly notSent: boolean;
  /** Origin of the other end; undefined where the error belongs to none. */
  readonly peer: string | undefined;
  /** What was called, as the caller wrote it; undefined where the error belongs to no call. */
  readonly pattern: string | undefined;
  /** The finer cause inside the code, where there is one. */
  readonly reason: GridReason | undefined;
  /** What the application gave along, or what a schema refused. Crosses the wire as JSON, where there is room. */
  readonly details: unknown;

  readonly #frameless = Error.stackTraceLimit === 0;

  constructor(code: GridCode, message: string, facts: GridErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.remote = facts.remote ?? false;
    this.notSent = facts.notSent ?? false;
    this.peer = facts.peer;
    this.pattern = facts.pattern;
    this.reason = facts.reason;
    this.details = facts.details;
  }

  /** True for a GridError of any copy of this package, also across realms. */
  static is(value: unknown): value is GridError {
    try {
      return typeof value === 'object' && value !== null && BRAND in value;
    } catch {
      // a Proxy that lets nobody look
      return false;
    }
  }

  /** This error with more facts known, for example the peer and the pattern that only the layer above can tell. */
  with(facts: GridErrorFacts & { message?: string }): GridError {
    const merged: GridErrorFacts = {
      remote: this.remote,
      notSent: this.notSent,
      peer: this.peer,
      pattern: this.pattern,
      reason: this.reason,
      details: this.details,
      cause: this.cause,
      ...facts,
    };
    const { message = this.message } = facts;
    if (this.#frameless) return framelessError(this.code, message, merged);
    const make = (): GridError => new GridError(this.code, message, merged);
    return message === this.message ? withStackOf(this, make) : make();
  }

  override toString(): string {
    return `${this.code}: ${this.message}`;
  }
}

/**
 * An error whose `stack` is its first line alone. For what comes of a peer, a clock or a signal, and for what stands
 * for its `cause`: the frames would be those of our own code, and to look for them takes ten times as long as all else
 * of an error. Thousands of calls may fail at once.
 */
export function framelessError(code: GridCode, message: string, facts?: GridErrorFacts): GridError {
  return withFrames(0, () => new GridError(code, message, facts));
}

/** To write a stack down, which V8 does when it is read first, takes longer still: hardly any is. */
function withStackOf(error: GridError, make: () => GridError): GridError {
  const copy = withFrames(undefined, make);
  const set = (value: unknown): void =>
    void Object.defineProperty(copy, 'stack', { value, writable: true, configurable: true });
  return Object.defineProperty(copy, 'stack', { get: () => error.stack, set, configurable: true });
}

/** Makes an error with so many frames; undefined: without a stack. All it has in a process that has frozen this. */
function withFrames(count: 0 | undefined, make: () => GridError): GridError {
  const { stackTraceLimit } = Error;
  const ours = Reflect.set(Error, 'stackTraceLimit', count);
  try {
    return make();
  } finally {
    if (ours) Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * The gate through which every foreign error passes: a GridError stays itself, an AbortError becomes CANCELLED, a
 * TimeoutError DEADLINE_EXCEEDED, anything else `fallback`. The original is kept as `cause`.
 */
export function toGridError(foreign: unknown, fallback: GridCode = 'UNKNOWN'): GridError {
  if (GridError.is(foreign)) return foreign;
  const name = nameOf(foreign);
  if (name === 'AbortError') return framelessError('CANCELLED', 'context canceled', { cause: foreign });
  if (name === 'TimeoutError')
    return framelessError('DEADLINE_EXCEEDED', 'context deadline exceeded', { cause: foreign });
  return framelessError(fallback, textOf(foreign), { cause: foreign });
}

function nameOf(foreign: unknown): unknown {
  try {
    // not instanceof: errors of another realm (vm contexts, jest) are native errors all the same
    return types.isNativeError(foreign) || foreign instanceof DOMException ? foreign.name : undefined;
  } catch {
    // a getter, or a Proxy that lets nobody look
    return undefined;
  }
}

/** A text for anything that can be thrown, getters that throw included. */
export function textOf(foreign: unknown): string {
  try {
    // an application may have set anything as the message
    if (types.isNativeError(foreign)) return String(foreign.message || foreign.name);
    if (typeof foreign === 'string') return foreign;
    if (
      typeof foreign === 'object' &&
      foreign !== null &&
      'message' in foreign &&
      typeof foreign.message === 'string'
    ) {
      return foreign.message;
    }
    const text = String(foreign);
    if (foreign === undefined || foreign === null) return `${text} was thrown`;
    return `${typeof foreign === 'object' ? 'an object' : `a ${typeof foreign}`} was thrown: ${text}`;
  } catch {
    return 'something without a readable text was thrown';
  }
}

/** True iff the call ended because the connection to the peer was lost or was not there (spec §9). */
export function isDisconnected(error: unknown): error is GridError {
  return (
    GridError.is(error) &&
    error.code === 'UNAVAILABLE' &&
    (error.reason === 'disconnected' || error.reason === 'not-connected')
  );
}
