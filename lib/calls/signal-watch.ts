import { GridError, TEXT, toGridError } from '../errors/index.js';

interface Watch {
  readonly listeners: Set<() => void>;
  readonly forget: () => void;
}

/**
 * One listener on each signal, however many calls it cancels: hundreds of calls inside one handler share its signal,
 * and Node warns of a leak from the eleventh listener on.
 */
const watched = new WeakMap<AbortSignal, Watch>();

/** Calls `aborted` once when the signal aborts; the returned function forgets it. The signal is not aborted yet. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  const { listeners, forget } = watched.get(signal) ?? watch(signal);
  // a function of its own: the same one may be given twice
  const listener = (): void => aborted();
  listeners.add(listener);
  return () => {
    if (listeners.delete(listener) && listeners.size === 0) forget();
  };
}

function watch(signal: AbortSignal): Watch {
  const listeners = new Set<() => void>();
  const fire = (): void => {
    watched.delete(signal);
    for (const listener of listeners) listener();
    listeners.clear();
  };
  const forget = (): void => {
    watched.delete(signal);
    signal.removeEventListener('abort', fire);
  };
  signal.addEventListener('abort', fire, { once: true });
  const entry = { listeners, forget };
  watched.set(signal, entry);
  return entry;
}

/** What a call ends with that was cancelled for this reason: CANCELLED, or DEADLINE_EXCEEDED for a timeout's signal. */
export function cancelled(reason: unknown): GridError {
  const late = reason !== undefined && toGridError(reason, 'CANCELLED').code === 'DEADLINE_EXCEEDED';
  return late
    ? new GridError('DEADLINE_EXCEEDED', TEXT.deadline, { cause: reason })
    : new GridError('CANCELLED', TEXT.cancelled, { cause: reason });
}
