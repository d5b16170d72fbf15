import { framelessError, GridError, TEXT, toGridError } from '../errors/index.js';
import { Line } from './line.js';

interface Watch {
  readonly listeners: Line<() => void>;
  readonly forget: () => void;
}

/**
 * One listener on each signal, however many calls it cancels: hundreds of calls inside one handler share its signal,
 * and Node warns of a leak from the eleventh listener on.
 */
const watched = new WeakMap<AbortSignal, Watch>();

/** Calls `aborted` once when the signal aborts, at once if it has; the returned function forgets it. */
export function onAbort(signal: AbortSignal, aborted: () => void): () => void {
  // what was encoded, checked or pulled since the options were looked at is the application's code
  if (signal.aborted) {
    aborted();
    return () => {};
  }
  const { listeners, forget } = watched.get(signal) ?? watch(signal);
  const place = listeners.add(aborted);
  return () => {
    if (listeners.remove(place) && listeners.length === 0) forget();
  };
}

function watch(signal: AbortSignal): Watch {
  const listeners = new Line<() => void>();
  const fire = (): void => {
    watched.delete(signal);
    for (let listener = listeners.shift(); listener; listener = listeners.shift()) listener();
  };
  const forget = (): void => {
    watched.delete(signal);
    try {
      signal.removeEventListener('abort', fire);
    } catch {
      // one of the application's own: what it calls later finds nobody
    }
  };
  signal.addEventListener('abort', fire, { once: true });
  const entry = { listeners, forget };
  watched.set(signal, entry);
  return entry;
}

/**
 * For signals that the application gave: what is none, an AbortController say, could not be listened to later.
 * @throws GridError INVALID_ARGUMENT with `notSent`.
 */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (!signal || typeof signal.addEventListener === 'function') return;
  throw new GridError('INVALID_ARGUMENT', 'signal must be an AbortSignal', { notSent: true });
}

/** What a call ends with that was cancelled for this reason: CANCELLED, or DEADLINE_EXCEEDED for a timeout's signal. */
export function cancelled(reason: unknown): GridError {
  const late = reason !== undefined && toGridError(reason, 'CANCELLED').code === 'DEADLINE_EXCEEDED';
  return late
    ? framelessError('DEADLINE_EXCEEDED', TEXT.deadline, { cause: reason })
    : framelessError('CANCELLED', TEXT.cancelled, { cause: reason });
}
