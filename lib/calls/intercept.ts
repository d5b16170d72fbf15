import type { Observable } from 'rxjs';
import { GridError } from '../errors/index.js';
import type { CallOptions, StreamOptions } from './call-options.js';
import type { GridCall } from './grid-call.js';
import { shownOption } from './option-names.js';

/** A call of ours on its way out. An interceptor hands on a copy with what it changes. */
export interface OutgoingCall {
  /** `send`: an Observable of one or many values, as `ClientProxy.send` makes it. */
  readonly kind: 'request' | 'event' | 'stream' | 'send';
  /** Origin of the host that is called. */
  readonly peer: string;
  /** What is called, as the caller wrote it; for texts. */
  readonly pattern: string;
  readonly payload: unknown;
  /** `StreamOptions` for a stream. */
  readonly options: CallOptions & StreamOptions;
}

/** Works for calls of each kind alike: `(call, next) => next({ ...call, options: { ...call.options, … } })`. */
export type AnyCallInterceptor = <Result>(call: OutgoingCall, next: (call: OutgoingCall) => Result) => Result;

/** Goes into what a kind of call gives back: a retry, for example. A kind that is left out passes untouched. */
export interface KindInterceptor {
  /** Requests and events. `next` may be called again: each time a new call is made. */
  request?(call: OutgoingCall, next: (call: OutgoingCall) => Promise<unknown>): Promise<unknown>;
  stream?(call: OutgoingCall, next: (call: OutgoingCall) => GridCall): GridCall;
  /** Called for each subscription. */
  send?(call: OutgoingCall, next: (call: OutgoingCall) => Observable<unknown>): Observable<unknown>;
}

/** A hook around outgoing calls. The first one added is the outermost. */
export type CallInterceptor = AnyCallInterceptor | KindInterceptor;

const HOOKS: readonly (keyof KindInterceptor)[] = ['request', 'stream', 'send'];

/** @throws GridError INVALID_ARGUMENT for what would never be called. */
export function verifyInterceptor(interceptor: unknown): void {
  if (typeof interceptor === 'function') return;
  const hooks = (interceptor ?? {}) as Record<string, unknown>;
  const given = HOOKS.map((name) => hooks[name]).filter((hook) => hook !== undefined);
  if (given.length > 0 && given.every((hook) => typeof hook === 'function')) return;
  const allowed = `a function or an object with at least one of the functions ${HOOKS.join(', ')}`;
  const text = `intercept: the interceptor is ${shownOption(interceptor)}; it must be ${allowed}`;
  throw new GridError('INVALID_ARGUMENT', text);
}

/** What the three kinds of result are. */
interface ResultOf {
  request: Promise<unknown>;
  stream: GridCall;
  send: Observable<unknown>;
}

/** Runs `call` through `interceptors`, the last of which reaches `last`. */
export function intercepted<Kind extends keyof ResultOf>(
  interceptors: readonly CallInterceptor[],
  kind: Kind,
  call: OutgoingCall,
  last: (call: OutgoingCall) => ResultOf[Kind],
): ResultOf[Kind] {
  // a copy: one that is added or removed meanwhile counts from the next call on
  return step([...interceptors], 0, kind, call, last);
}

function step<Kind extends keyof ResultOf>(
  interceptors: readonly CallInterceptor[],
  index: number,
  kind: Kind,
  call: OutgoingCall,
  last: (call: OutgoingCall) => ResultOf[Kind],
): ResultOf[Kind] {
  const interceptor = interceptors[index];
  if (interceptor === undefined) return last(call);
  const next = (changed: OutgoingCall): ResultOf[Kind] => step(interceptors, index + 1, kind, changed, last);
  if (typeof interceptor === 'function') return interceptor(call, next);
  const hook = interceptor[kind] as ((call: OutgoingCall, next: unknown) => ResultOf[Kind]) | undefined;
  return hook === undefined ? next(call) : hook.call(interceptor, call, next);
}
