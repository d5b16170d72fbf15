import type { GridError } from '../errors/index.js';
import type { GridLogger } from '../observe/index.js';
import { LineBudget, type Clock } from '../time/index.js';
import { logFailure } from './handler-failure.js';

export interface CleanupLogPorts {
  readonly clock: Clock;
  readonly logger: GridLogger;
}

/**
 * Tells the log what cleanups of the application threw: a generator's `finally`, an Observable's teardown, the close of
 * a Readable. Their calls were over by then, so that nobody else can be told. Thousands of calls may be broken off at
 * once, by a lost connection for one: they make no more lines than a `LineBudget`.
 */
export class CleanupLog {
  private budget: LineBudget | undefined = undefined;

  constructor(private readonly ports: CleanupLogPorts) {}

  /**
   * @param what The line up to what was thrown.
   * @param ended The error that the call had ended with: what was told to stop by it may well throw it.
   */
  tell(what: string, thrown: unknown, ended: GridError | undefined): void {
    const isEnd = (fault: unknown): boolean => ended !== undefined && (fault === ended || fault === ended.cause);
    const faults = partsOf(thrown).filter((fault) => !isEnd(fault) && !isAbort(fault));
    if (faults.length === 0) return;
    this.budget ??= new LineBudget(this.ports.clock);
    this.budget.spend(what, (line) => logFailure(this.ports.logger, line, faults.length === 1 ? faults[0] : thrown));
  }
}

/**
 * RxJS wraps what its teardowns threw, also where it was one; a Readable of Node 26 joins it with its own end. By name:
 * an application may have a second copy of RxJS, and errors with a list `errors` of their own, which may be empty.
 */
function partsOf(thrown: unknown): readonly unknown[] {
  try {
    const { name, errors } = thrown as { readonly name?: unknown; readonly errors?: unknown };
    const joins = name === 'UnsubscriptionError' || name === 'AggregateError';
    if (joins && Array.isArray(errors) && errors.length > 0) return errors;
  } catch {
    // nothing to look at, or a getter that throws
  }
  return [thrown];
}

/** What is thrown by what heeds an AbortSignal, and by a Readable that was destroyed before its end. */
function isAbort(thrown: unknown): boolean {
  try {
    const { name, code } = thrown as { readonly name?: unknown; readonly code?: unknown };
    return name === 'AbortError' || code === 'ERR_STREAM_PREMATURE_CLOSE';
  } catch {
    // nothing to look at, or a getter that throws
    return false;
  }
}
