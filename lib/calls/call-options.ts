import type { Observable } from 'rxjs';
import type { Readable } from 'node:stream';
import { GridError, TEXT, textOf } from '../errors/index.js';
import type { Clock } from '../time/index.js';
import type { Codec } from './codec.js';
import { shownOption } from './option-names.js';
import { ownContextOf, type OwnContext } from './own-context.js';
import { cancelled, checkSignal, onAbort } from './signal-watch.js';

/** The call inside which another one is made: a `GridContext`, a `CallContext`. */
export interface ParentCall {
  /** Cancels the inner call too. */
  readonly signal: AbortSignal;
  /** Bounds the inner call too. */
  readonly deadline: Date | undefined;
  /** What came with the call. */
  getMetadata?(): Readonly<Record<string, string>>;
}

/**
 * What a caller may say of one call; all of it is optional. `Validate` is the type of `validate`, for who has to know
 * whether the schemas were used.
 */
export interface CallOptions<Validate extends boolean = boolean> {
  /**
   * Milliseconds for the whole call. Less than 1 fails it at once, past 2^32-1 (49 days) counts as so many. Default:
   * `intervals.requestTimeoutMs`, none for streams; for `send()` that until its first answer, then none.
   */
  readonly timeoutMs?: number;
  /** The same as a point in time; the earlier of all that are given counts. */
  readonly deadline?: Date;
  /**
   * Cancels the call: CANCELLED, for a signal of `AbortSignal.timeout()` DEADLINE_EXCEEDED; its reason is the `cause`.
   */
  readonly signal?: AbortSignal;
  /**
   * Travels to the handler; over `limits.metadataBytes` encoded: INVALID_ARGUMENT, a peer that cannot carry it:
   * FAILED_PRECONDITION.
   */
  readonly metadata?: Record<string, string>;
  /** The same for a trace (`traceparent` and the like): left out where it cannot travel, never a reason to fail. */
  readonly traceContext?: Record<string, string>;
  /**
   * Called once with what the handler set as response metadata, where the peer can carry it; before whoever awaits the
   * end of the call goes on.
   */
  readonly onMetadata?: (metadata: Record<string, string>) => void;
  /** Default: the contract's, else the grid's. */
  readonly codec?: Codec;
  /**
   * Checks by the contract's schemas at this side too: payload and input before they are sent (INVALID_ARGUMENT), what
   * comes back before it is given (INTERNAL), each with the paths in `details`. What is sent stays what the caller
   * gave; what comes back is given as the schema makes it. Default false.
   */
  readonly validate?: Validate;
  /** A call made inside a handler inherits its deadline, its signal and, where no other is given, its trace context. */
  readonly parent?: ParentCall;
}

/**
 * What input can be taken from. Iterables and Readables are pulled, one value per credit and one ahead of it. Values of
 * an Observable wait for credit, at most 1,024 of them; one more ends the call with RESOURCE_EXHAUSTED.
 */
export type InputSource<In> = Iterable<In> | AsyncIterable<In> | Observable<In> | Readable;

/** What a caller may say of one stream. */
export interface StreamOptions<In = unknown, Validate extends boolean = boolean> extends CallOptions<Validate> {
  /** The caller's messages; without it they are given by `write()`. */
  readonly input?: InputSource<In>;
  /** Messages to the handler that may be unacknowledged; needed only towards peers that do not announce it. */
  readonly inCapacity?: number;
  /** Messages to the caller that may be unacknowledged; needed only towards peers that do not announce it. */
  readonly outCapacity?: number;
}

/**
 * A number of milliseconds in their place would be a deadline that is not there. The names in them are not looked at:
 * that is a loop over them for each call, which costs more than this and the looks at their values.
 * @throws GridError INVALID_ARGUMENT with `notSent` for what is no object.
 */
export function verifyIsOptions(options: CallOptions): void {
  if (typeof options === 'object' && (options as CallOptions | null) !== null) return;
  const text = `options is ${shownOption(options)}; it must be an object, like { timeoutMs: 500 }`;
  throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
}

/**
 * Looks at the options before anything of the call is made; gives the milliseconds that it has, undefined where
 * neither the options nor the parent bound it.
 * @throws GridError with `notSent`: INVALID_ARGUMENT for what is no time or no signal, DEADLINE_EXCEEDED where less
 * than 1 ms is left, CANCELLED where a signal is aborted already.
 */
export function checkOptions(options: CallOptions, clock: Clock): number | undefined {
  verifyIsOptions(options);
  const left = timeLeft(options, clock);
  const { signal, parent } = options;
  if (signal === undefined && parent === undefined) return left;
  const outer = ownContextOf(parent);
  for (const given of [signal, outer ? undefined : parent?.signal]) checkSignal(given);
  const gone = goneBy(signal) ?? goneBy(outer ?? parent?.signal);
  if (gone) throw gone.with({ notSent: true });
  return left;
}

/** The error of a call that this would cancel, if it has aborted. */
function goneBy(given: AbortSignal | OwnContext | undefined): GridError | undefined {
  if (!given?.aborted) return undefined;
  return cancelled(given.aborted === true ? given.reason : given.aborted);
}

function cancelBy(given: AbortSignal | OwnContext, cancel: (error: GridError) => void): () => void {
  if ('onceAborted' in given) return given.onceAborted((error) => cancel(cancelled(error)));
  return onAbort(given, () => cancel(cancelled(given.reason)));
}

/**
 * Calls `cancel` once when the caller's signal or the parent's aborts, at once if one cannot be listened to; the
 * returned function forgets both. To be called when the call has been made: it never throws.
 */
export function watchSignals(options: CallOptions, cancel: (error: GridError) => void): (() => void) | undefined {
  let forget: (() => void) | undefined;
  try {
    const { signal, parent } = options;
    if (signal === undefined && parent === undefined) return undefined;
    const outer = ownContextOf(parent) ?? parent?.signal;
    // by what was encoded, checked or pulled since the options were looked at; nobody would forget the other one then
    const gone = goneBy(signal) ?? goneBy(outer);
    if (gone) {
      cancel(gone);
      return undefined;
    }
    forget = signal && cancelBy(signal, cancel);
    if (outer === undefined || outer === signal) return forget;
    const forgetOuter = cancelBy(outer, cancel);
    if (forget === undefined) return forgetOuter;
    const forgetOwn = forget;
    return () => {
      forgetOwn();
      forgetOuter();
    };
  } catch (thrown) {
    forget?.();
    const text = `signal cannot be listened to: ${textOf(thrown)}`;
    cancel(new GridError('INVALID_ARGUMENT', text, { cause: thrown }));
    return undefined;
  }
}

/** Deadlines travel in 32 bits (wire spec §2): about 49 days. */
const LONGEST_MS = 0xffff_ffff;

/** @throws GridError INVALID_ARGUMENT with `notSent` for what is no time: 0 and Infinity are. */
export function checkTimeoutMs(timeoutMs: unknown): void {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return;
  const text = `timeoutMs must be a number of milliseconds, not ${shownOption(timeoutMs)}`;
  throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
}

/** The earliest of `timeoutMs`, `deadline` and the parent's deadline. */
function timeLeft(options: CallOptions, clock: Clock): number | undefined {
  const { timeoutMs, deadline, parent } = options;
  let left = Infinity;
  if (timeoutMs !== undefined) {
    checkTimeoutMs(timeoutMs);
    left = Math.min(timeoutMs, LONGEST_MS);
  }
  if (deadline !== undefined) left = Math.min(left, untilDate(deadline, clock));
  if (parent?.deadline !== undefined) left = Math.min(left, untilDate(parent.deadline, clock));
  if (left < 1) throw new GridError('DEADLINE_EXCEEDED', TEXT.deadline, { notSent: true });
  return left === Infinity ? undefined : left;
}

function untilDate(deadline: Date, clock: Clock): number {
  // Dates of another realm are as good
  const isDate = typeof (deadline as Date | null)?.getTime === 'function';
  const left = isDate ? deadline.getTime() - clock.date() : NaN;
  if (Number.isNaN(left)) {
    const text = `deadline is ${shownOption(deadline)}; it must be a valid Date (timeoutMs takes milliseconds)`;
    throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
  }
  return left;
}

/**
 * A Map, a list or `Headers` has its entries elsewhere than in its properties: they would be left out in silence.
 * @throws GridError INVALID_ARGUMENT with `notSent`; the value is not shown, it may hold credentials.
 */
export function verifyIsMetadata(metadata: unknown): void {
  if (metadata === undefined) return;
  const isObject = typeof metadata === 'object' && metadata !== null;
  if (isObject && !(Symbol.iterator in metadata)) return;
  const kind = isObject ? `of class ${metadata.constructor.name}` : metadata === null ? 'null' : `a ${typeof metadata}`;
  const text = `metadata must be an object of strings, like { user: 'ann' }, not ${kind}`;
  throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
}

/**
 * The metadata that the caller gave explicitly; undefined where it gave none.
 * @throws GridError INVALID_ARGUMENT for what is no object of strings.
 */
export function explicitMetadata({ metadata }: CallOptions): Record<string, string> | undefined {
  if (metadata === undefined) return undefined;
  verifyIsMetadata(metadata);
  // a copy: what was looked at is what is sent, and the application's getters are asked once
  const copy = { ...metadata };
  const keys = Object.keys(copy);
  for (const key of keys) {
    if (typeof copy[key] === 'string') continue;
    throw new GridError('INVALID_ARGUMENT', `metadata ${JSON.stringify(key)} must be a string`, { notSent: true });
  }
  return keys.length === 0 ? undefined : copy;
}

/** What W3C trace context is made of. */
const TRACE_KEYS = ['traceparent', 'tracestate', 'baggage'] as const;

/** The trace that the call is part of: the one it was given, else that of the handler inside which it is made. */
export function traceContextOf({ traceContext, parent }: CallOptions): Record<string, string> | undefined {
  if (traceContext) {
    // code of the application runs here and not while they are written; what is no string cannot travel
    const texts = Object.entries(traceContext).filter(([, value]) => typeof value === 'string');
    return texts.length === 0 ? undefined : Object.fromEntries(texts);
  }
  const metadata = parent?.getMetadata?.();
  if (metadata?.traceparent === undefined) return undefined;
  const inherited = TRACE_KEYS.map((key) => [key, metadata[key]]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(inherited) as Record<string, string>;
}

/**
 * Hands response metadata to who asked for it, before whoever awaits the call goes on: to be called before that is told
 * anything. What it throws is not the call's.
 */
export function tellMetadata(
  options: CallOptions | undefined,
  metadata: Readonly<Record<string, string>> | undefined,
): void {
  // asked for in there, too: it may be a getter
  if (options && metadata) queueMicrotask(() => options.onMetadata?.({ ...metadata }));
}
