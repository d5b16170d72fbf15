import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig } from '@nestjs/core';
import { tap, type Observable } from 'rxjs';
import { isAsyncIterable } from '../calls/index.js';
import type { GridLogger } from '../observe/index.js';
import { nameOf } from './global-enhancers.js';
import { marksOf, type HandlerOwner } from './handler-owners.js';

/**
 * Tells once per handler that its interceptors see a generator or Readable as one value, as Nest has it: one that
 * serializes would leave each value as it is, and nobody would notice. They are not given the values in its place, for
 * an Observable cannot be asked to wait: where an operator takes its time the generator would run ahead of its caller.
 */
export class UnseenValues {
  private told = false;
  private looked = false;

  private constructor(
    private readonly handler: string,
    /** Their names: which of them has to do with the values is for the reader to say. */
    private readonly interceptors: ReadonlySet<string>,
    private readonly logger: GridLogger,
  ) {}

  /** Undefined for a handler without interceptors. */
  static of(owner: HandlerOwner, config: ApplicationConfig, logger: GridLogger): UnseenValues | undefined {
    const globals = [...config.getGlobalInterceptors(), ...config.getGlobalRequestInterceptors()];
    const own = marksOf(owner, INTERCEPTORS_METADATA).flat() as object[];
    const names = new Set([...globals, ...own].map(nameOf));
    return names.size === 0 ? undefined : new UnseenValues(owner.name, names, logger);
  }

  /** A generator or Readable has come through the interceptors. */
  found(more = ''): void {
    if (this.told) return;
    this.told = true;
    const names = [...this.interceptors].join(', ');
    this.logger.warn(
      `handler ${this.handler}: its interceptors (${names}) see the generator or Readable that it gives as one ` +
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
        if (holdsIterable(value)) this.found(', and one of them has put it into an object, where it cannot be sent');
      }),
    );
  }
}

function holdsIterable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || isAsyncIterable(value)) return false;
  // what stands between the braces of `({ data })`; elements of a list are values, however many there are
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).some(isAsyncIterable);
}
