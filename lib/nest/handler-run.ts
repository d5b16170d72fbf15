import type { RequestContext } from '@nestjs/microservices';
import { catchError, isObservable, throwError, type ObservableInput } from 'rxjs';
import { isThenable } from '../calls/index.js';
import type { DirectCall } from './direct-call.js';
import { filtered } from './filtered-result.js';
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
    const { filters, unseen } = this.ports;
    const safe = this.mapped(unseen ? unseen.first(result) : result);
    return filters ? filtered(safe, (thrown) => this.handle(thrown), unseen) : safe;
  }

  /** The same for a method that Nest's pipeline does not stand around: all that it throws goes through the filters. */
  called(method: DirectCall): unknown {
    let result: unknown;
    try {
      result = method(this.payload, this.context);
    } catch (thrown) {
      return this.replaced(thrown);
    }
    if (!isThenable(result)) return this.adapted(this.caught(result));
    // those of others may give nothing or throw where a Promise gives the next one
    return Promise.resolve(result).then(
      (late) => this.adapted(this.caught(late)),
      (thrown: unknown) => this.replaced(thrown),
    );
  }

  /** What the filters make of an error that a generator threw. */
  private handle(thrown: unknown): unknown {
    const given = this.filter(thrown);
    return isThenable(given) ? Promise.resolve(given).then((late) => this.mapped(late)) : this.mapped(given);
  }

  /** What is answered in place of an error. */
  private replaced(thrown: unknown): unknown {
    const given = this.filter(thrown);
    return isThenable(given) ? Promise.resolve(given).then((late) => this.adapted(late)) : this.adapted(given);
  }

  /** An Observable's error goes through the filters, as it does in Nest's pipeline. */
  private caught(result: unknown): unknown {
    if (!isObservable(result)) return result;
    return result.pipe(catchError((thrown) => this.filter(thrown) as ObservableInput<unknown>));
  }

  /** What the filters make of an error: by Nest's custom an Observable. */
  private filter(thrown: unknown): unknown {
    return this.ports.filters!.catch(thrown, this.payload, this.context, this.request);
  }

  private mapped(result: unknown): unknown {
    const { errorOf } = this.ports;
    return isObservable(result) ? result.pipe(catchError((given) => throwError(() => errorOf(given)))) : result;
  }
}
