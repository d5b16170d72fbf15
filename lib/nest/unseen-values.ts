import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import { tap, type Observable } from 'rxjs';
import { isAsyncIterable, isReadable } from '../calls/index.js';
import type { GridLogger } from '../observe/index.js';
import { nameOf } from './global-enhancers.js';
import { marksOf, type HandlerOwner } from './handler-owners.js';

const KEPT = 'gives again what an earlier call had; a generator or Readable can be read once, so it cannot be cached';

/**
 * Tells once per handler that its interceptors see a generator or Readable as one value, as Nest has it: one that
 * serializes would leave each value as it is, and nobody would notice. They are not given the values in its place, for
 * an Observable cannot be asked to wait: where an operator takes its time the generator would run ahead of its caller.
 */
export class UnseenValues {
  private told = false;
  private looked = false;
  /** Those that calls so far had. */
  private readonly had = new WeakSet<AsyncIterable<unknown>>();

  private constructor(
    private readonly handler: string,
    /** Of the interceptors: which of them has to do with the values is for the reader to say. */
    private readonly names: string,
    private readonly logger: GridLogger,
  ) {}

  /** Undefined for a handler without interceptors. */
  static of(owner: HandlerOwner, config: ApplicationConfig, logger: GridLogger): UnseenValues | undefined {
    const globals = [...config.getGlobalInterceptors(), ...config.getGlobalRequestInterceptors()];
    const own = marksOf(owner, INTERCEPTORS_METADATA).flat() as object[];
    const names = new Set([...globals, ...own].map(nameOf));
    return names.size === 0 ? undefined : new UnseenValues(owner.name, [...names].join(', '), logger);
  }

  /**
   * An iterable has come through the interceptors.
   * @throws Error for what an earlier call had and nobody can read again: of a spent generator the caller would get an
   * empty stream, and of one that still runs two callers would share the values.
   */
  found(iterable: AsyncIterable<unknown>): void {
    this.tell();
    if (!isReadOnce(iterable)) return;
    if (this.had.has(iterable)) throw new Error(`one of its interceptors (${this.names}) ${KEPT}`);
    this.had.add(iterable);
  }

  private tell(more = ''): void {
    if (this.told) return;
    this.told = true;
    this.logger.warn(
      `handler ${this.handler}: its interceptors (${this.names}) see the generator or Readable that it gives as one ` +
        `value, not the values in it${more}: a serializer, for one, removes nothing from them. Give an Observable, ` +
        `or map the values inside the generator`,
    );
  }

  /** The same result; of the first call it is seen whether an interceptor has put the iterable into an object. */
  first(result: Observable<unknown>): Observable<unknown> {
    if (this.looked) return result;
    this.looked = true;
    return result.pipe(
      tap((value) => {
        if (holdsIterable(value)) this.tell(', and one of them has put it into an object, where it cannot be sent');
      }),
    );
  }
}

/** What is its own iterator, as a generator is, or a Node stream. */
function isReadOnce(iterable: AsyncIterable<unknown>): boolean {
  return isReadable(iterable) || 'next' in iterable;
}

function holdsIterable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || isAsyncIterable(value)) return false;
  // what stands between the braces of `({ data })`; elements of a list are values, however many there are
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).some(isAsyncIterable);
}
