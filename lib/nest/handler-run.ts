import type { RequestContext } from '@nestjs/microservices';
import { catchError, from, isObservable, map, throwError, type Observable, type ObservableInput } from 'rxjs';
import { isAsyncIterable, isThenable } from '../calls/index.js';
import { adaptedObservable, type Adaptation } from './adapted-observable.js';
import type { DirectCall } from './direct-call.js';
import { FilteredIterable } from './filtered-iterable.js';
import type { GridContext } from './grid-context.js';
import type { HandlerFilters } from './handler-filters.js';
import type { UnseenValues } from './unseen-values.js';

/** What all calls of one handler share. */
export interface HandlerRunPorts {
  /** Absent for what was not declared by a decorator: Nest's own pipeline asks the filters then. */
  readonly filters: HandlerFilters | undefined;
  /** The error that the caller gets of what a filter gave. */
  readonly errorOf: (given: unknown) => unknown;
  /** Absent for a handler without interceptors. */
  readonly unseen?: UnseenValues | undefined;
}

/** One call of a handler: what becomes of its result, and of what it throws. */
export class HandlerRun implements Adaptation {
  /** Nest's pipeline did not stand around the method: its Observable's error has still to go through the filters. */
  private unfiltered = false;

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
    if (!isObservable(result)) return this.value(result);
    const { unseen } = this.ports;
    return adaptedObservable(unseen ? unseen.first(result) : result, this);
  }

  /** The same for a method that Nest's pipeline does not stand around: all that it throws goes through the filters. */
  called(method: DirectCall): unknown {
    this.unfiltered = true;
    let result: unknown;
    try {
      result = method(this.payload, this.context);
    } catch (thrown) {
      return this.replaced(thrown);
    }
    if (!isThenable(result)) return this.adapted(result);
    // those of others may give nothing or throw where a Promise gives the next one
    return Promise.resolve(result).then(
      (late) => this.adapted(late),
      (thrown: unknown) => this.replaced(thrown),
    );
  }

  /** A result, or a value of an Observable. */
  value(value: unknown): unknown {
    const { filters, unseen } = this.ports;
    if (!filters || !isAsyncIterable(value)) return value;
    unseen?.found(value);
    return new FilteredIterable(value, (thrown) => this.handle(thrown));
  }

  /** What comes in place of an Observable's error. */
  instead(thrown: unknown): Observable<unknown> {
    return this.unfiltered ? this.caught(thrown) : this.named(throwError(() => thrown));
  }

  private caught(thrown: unknown): Observable<unknown> {
    let given: Observable<unknown>;
    try {
      given = from(this.filter(thrown) as ObservableInput<unknown>);
    } catch (fault) {
      given = throwError(() => fault);
    }
    return this.named(given).pipe(map((value) => this.value(value)));
  }

  /** What the filters make of an error that a generator threw. */
  private handle(thrown: unknown): unknown {
    const given = this.filter(thrown);
    return isThenable(given) ? Promise.resolve(given).then((late) => this.ofFilter(late)) : this.ofFilter(given);
  }

  /** What is answered in place of an error. */
  private replaced(thrown: unknown): unknown {
    const given = this.filter(thrown);
    // the filters are not asked again for an error that they gave themselves
    this.unfiltered = false;
    return isThenable(given) ? Promise.resolve(given).then((late) => this.adapted(late)) : this.adapted(given);
  }

  /** What the filters make of an error: by Nest's custom an Observable. */
  private filter(thrown: unknown): unknown {
    return this.ports.filters!.catch(thrown, this.payload, this.context, this.request);
  }

  private ofFilter(given: unknown): unknown {
    return isObservable(given) ? this.named(given) : given;
  }

  /** Its errors are those for the caller. */
  private named(given: Observable<unknown>): Observable<unknown> {
    return given.pipe(catchError((error) => throwError(() => this.ports.errorOf(error))));
  }
}
