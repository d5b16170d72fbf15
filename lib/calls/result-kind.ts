import type { Readable } from 'node:stream';

/**
 * What a handler, an interceptor or an application gave is told apart by what it can do, never by its class: classes
 * come from other realms and other copies of a package.
 */

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  const mayHave = typeof value === 'function' || (typeof value === 'object' && value !== null);
  return mayHave && 'then' in value && typeof value.then === 'function';
}

export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.asyncIterator in value &&
    typeof value[Symbol.asyncIterator] === 'function'
  );
}

/** For input only: an answer that is a plain iterable is a value. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.iterator in value &&
    typeof value[Symbol.iterator] === 'function'
  );
}

/** A Node stream to read from. Its `error` must be listened to, and it must be destroyed when nobody reads on. */
export function isReadable(value: unknown): value is Readable {
  return isAsyncIterable(value) && 'destroy' in value && typeof value.destroy === 'function' && 'pipe' in value;
}
