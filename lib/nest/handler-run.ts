import type { RequestContext } from '@nestjs/microservices';
import { catchError, isObservable, throwError } from 'rxjs';
import { isThenable } from '../calls/index.js';
import { filtered } from './filtered-result.js';
import type { GridContext } from './grid-context.js';
import type { HandlerFilters } from './handler-filters.js';

/** What all calls of one handler share. */
export interface HandlerRunPorts {
  /** Absent for what was not declared by a decorator: Nest's own pipeline asks the filters then. */
  readonly filters: HandlerFilters | undefined;
  /** The error that the caller gets of what a filter gave. */
  readonly errorOf: (given: unknown) => unknown;
}

/** One call of a handler: what becomes of its result, and of what it throws. */
export class HandlerRun {
  constructor(
    private readonly ports: HandlerRunPorts,
    readonly payload: unknown,
    readonly context: GridContext,
    /** What Nest knows a call of request scope by. */
    readonly request: RequestContext | undefined,
  ) {}

  /** The result as it is answered: what it throws while it runs goes through the filters. */
  adapted(result: unknown): unknown {
    if (typeof result !== 'object' || result === null || ArrayBuffer.isView(result)) return result;
    const safe = this.mapped(result);
    return this.ports.filters ? filtered(safe, (thrown) => this.handle(thrown)) : safe;
  }

  /** What the filters make of an error: by Nest's custom an Observable. */
  handle(thrown: unknown): unknown {
    const given = this.ports.filters!.catch(thrown, this.payload, this.context, this.request);
    return isThenable(given) ? given.then((late) => this.mapped(late)) : this.mapped(given);
  }

  private mapped(result: unknown): unknown {
    const { errorOf } = this.ports;
    return isObservable(result) ? result.pipe(catchError((given) => throwError(() => errorOf(given)))) : result;
  }
}
