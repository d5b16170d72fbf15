import type { GridError } from '../errors/index.js';
import type { CallHandler } from '../mux/index.js';
import type { CallContext } from './call-context.js';
import type { HandlerSpec } from './handler-spec.js';
import type { HandlerTablePorts } from './handler-table.js';
import type { HandlerInterceptor } from './intercept-handler.js';

/** What answers the calls of one pattern. */
export interface Answer {
  /** The handler; of several of one event the first. */
  readonly spec: HandlerSpec;
  /** The same for the calls of one peer, known by its origin. */
  for(peer: string): CallHandler;
}

/** What the answer of one pattern asks of its table. */
export interface PatternPorts extends HandlerTablePorts {
  /** Looked at for each call: hooks may come and go. */
  readonly interceptors: readonly HandlerInterceptor[];
}

/** What the answer to one call asks of its pattern. */
export interface AnswerPorts {
  readonly spec: HandlerSpec;
  /** The handler itself, behind its schema. */
  readonly run: (payload: unknown, context: CallContext) => unknown;
  /** The error that the caller gets of what was thrown. */
  readonly errorOf: (thrown: unknown) => GridError;
  /** What its cleanup threw, after the call had ended with this error. */
  readonly cleanupFailed: (thrown: unknown, ended: GridError | undefined) => void;
  /** The handler of one call has really ended: well, or with the error that its caller gets. */
  readonly ended: (error: GridError | undefined) => void;
}
