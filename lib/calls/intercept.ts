import type { Observable } from 'rxjs';
import { GridError } from '../errors/index.js';
import type { CallOptions, StreamOptions } from './call-options.js';
import type { GridCall } from './grid-call.js';
import { shownOption } from './option-names.js';
import { isThenable } from './result-kind.js';

/** A call of ours on its way out. An interceptor hands on a copy with what it changes. */
export interface OutgoingCall {
  /** `send`: an Observable of one or many values, as `ClientProxy.send` makes it. */
  readonly kind: 'request' | 'event' | 'stream' | 'send';
  /** Origin of the host that is called. */
  readonly peer: string;
  /** What is called, as the caller wrote it; for texts. */
  readonly pattern: string;
  /** As the caller gave it: not encoded, not checked yet. */
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
  /** Streams. What it gives has to be there at once, so it is no async function. */
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

/** Adds a hook as the last one; the returned function takes it away, once: the same may have been added twice. */
export function addHook<Hook>(hooks: Hook[], hook: Hook): () => void {
  let stands = true;
  hooks.push(hook);
  return () => {
    if (stands) hooks.splice(hooks.indexOf(hook), 1);
    stands = false;
  };
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
  if (typeof interceptor === 'function') return given(kind, call, interceptor(call, next));
  const hook = interceptor[kind] as ((call: OutgoingCall, next: unknown) => ResultOf[Kind]) | undefined;
  return hook === undefined ? next(call) : given(kind, call, hook.call(interceptor, call, next));
}

/** By what the results are known that have to be more than there. */
const METHOD: Readonly<Record<keyof ResultOf, string | undefined>> = {
  request: undefined,
  stream: 'toObservable',
  send: 'subscribe',
};
type Methods = Readonly<Record<string, unknown>> | null | undefined;

/**
 * The compiler sees neither a `return` that was forgotten, by which a request would be answered with nothing, nor that
 * an async function has no stream to give.
 * @throws GridError INTERNAL
 */
function given<Kind extends keyof ResultOf>(
  kind: Kind,
  { peer, pattern }: OutgoingCall,
  result: ResultOf[Kind],
): ResultOf[Kind] {
  const value: unknown = result;
  const method = METHOD[kind];
  const fits = method === undefined ? value !== undefined : typeof (value as Methods)?.[method] === 'function';
  if (fits) return result;
  const what = isThenable(value) ? 'a Promise' : shownOption(value);
  const text = `an interceptor gave ${what} for a ${kind}; it must return what next(call) gives`;
  throw new GridError('INTERNAL', text, { peer, pattern });
}
