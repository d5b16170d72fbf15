import type { CallInit, StreamInit } from '../mux/index.js';
import type { Metadata } from '../wire/index.js';
import { explicitMetadata, traceContextOf, type CallOptions } from './call-options.js';
import type { Target } from './target.js';

/** What one call is opened with. */
export class CallOpening implements CallInit {
  /** Set last: it is to be sent before any code of the application runs, and options may have such, as getters. */
  payload: Uint8Array | undefined = undefined;
  readonly handler: number;
  readonly pattern: string | undefined;
  readonly subroute: Uint8Array | undefined;
  readonly metadata: Metadata | undefined;
  readonly traceContext: Metadata | undefined;

  constructor(
    target: Target,
    readonly timeoutMs: number | undefined,
    options: CallOptions | undefined,
  ) {
    this.handler = target.handler;
    this.pattern = target.pattern;
    this.subroute = target.subroute;
    this.metadata = options && explicitMetadata(options);
    this.traceContext = options && traceContextOf(options);
  }
}

export class StreamOpening extends CallOpening implements StreamInit {
  constructor(
    target: Target,
    timeoutMs: number | undefined,
    options: CallOptions | undefined,
    readonly input: boolean,
    readonly inCapacity: number | undefined,
    readonly outCapacity: number | undefined,
  ) {
    super(target, timeoutMs, options);
  }
}
