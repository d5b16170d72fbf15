import { toGridError, type GridError } from '../errors/index.js';
import type { CallHandler, IncomingRequest } from '../mux/index.js';
import type { Answer, PatternPorts } from './answer.js';
import { inOwnContext } from './async-context.js';
import { CallContext, contextFacts, type ContextFacts } from './call-context.js';
import { CleanupLog } from './cleanup-log.js';
import { admission, gateOf, type Gate } from './gate.js';
import { logFailure } from './handler-failure.js';
import { DEFAULT_OUT_CAPACITY, type HandlerSpec } from './handler-spec.js';
import { InterceptedHandler } from './intercept-handler.js';
import { unreadable } from './message-reader.js';
import { isThenable } from './result-kind.js';
import { sourceOf } from './source-of.js';
import { NOWHERE } from './source.js';
import { checked } from './standard-schema.js';
import { decodeOpening } from './weighed.js';

/** Takes the events of one pattern: answered on receipt, then each handler runs; what they throw is logged. */
export class EventAnswer implements Answer {
  /** Events whose handlers have not all ended. */
  running = 0;
  private readonly specs: HandlerSpec[];
  private readonly gate: Gate | undefined;
  private readonly cleanups: CleanupLog;

  /** `concurrency` and `queue` are those of the first handler. */
  constructor(
    readonly spec: HandlerSpec,
    private readonly ports: PatternPorts,
  ) {
    this.specs = [spec];
    this.gate = gateOf(spec);
    this.cleanups = new CleanupLog(ports);
  }

  /** One more handler of the same event. */
  join(spec: HandlerSpec): void {
    this.specs.push(spec);
  }

  /** True when no handler is left. */
  leave(spec: HandlerSpec): boolean {
    const index = this.specs.indexOf(spec);
    if (index >= 0) this.specs.splice(index, 1);
    return this.specs.length === 0;
  }

  /** No handler is left and none runs. */
  get idle(): boolean {
    return this.specs.length === 0 && this.running === 0;
  }

  for(peer: string): CallHandler {
    const { route } = this.spec;
    const facts = contextFacts(peer, this.spec, this.ports.clock);
    return {
      inCapacity: 0,
      outCapacity: DEFAULT_OUT_CAPACITY,
      isEvent: true,
      ...(route.subroute !== undefined && { pattern: route.name }),
      ...(this.gate && { admit: admission(this.gate, this.spec) }),
      onRequest: (call: IncomingRequest) => this.accept(call, facts),
    };
  }

  private accept(call: IncomingRequest, facts: ContextFacts): void {
    let runs: Array<(ended: () => void) => void>;
    try {
      // decoded for each: what one handler does to its payload is not seen by the others
      const { metadata } = call;
      runs = this.specs.map((spec) => {
        const payload = decodeOpening(spec.codec, call);
        // answered by the time it runs: neither deadline nor loss reach it any more
        const context = new CallContext(facts, {
          deadlineAt: undefined,
          aborted: undefined,
          onAbort: undefined,
          metadata,
        });
        return (ended) => this.start(spec, payload, context, ended);
      });
    } catch (thrown) {
      call.fail(unreadable(thrown, 'the payload'));
      return;
    }
    // the caller is done with it; for the caps it runs on
    const over = call.answerEarly();
    this.running++;
    const start = (): void => {
      let left = runs.length;
      const ended = (): void => {
        if (--left > 0) return;
        this.running--;
        over();
        this.gate?.leave();
      };
      for (const run of runs) inOwnContext(() => run(ended));
    };
    if (this.gate) this.gate.enter(start);
    else start();
  }

  private start(spec: HandlerSpec, payload: unknown, context: CallContext, ended: () => void): void {
    const { interceptors, logger } = this.ports;
    if (interceptors.length === 0) {
      this.run(spec, payload, context, ended);
      return;
    }
    const over = (error: GridError | undefined): void => {
      intercepted.ended(error);
      ended();
    };
    const intercepted = new InterceptedHandler(
      { kind: 'event', context },
      {
        interceptors,
        logger,
        run: () => this.run(spec, payload, context, over),
        fail: (thrown) => over(this.failure(spec, thrown)),
      },
    );
    intercepted.start();
  }

  private run(
    spec: HandlerSpec,
    payload: unknown,
    context: CallContext,
    ended: (error: GridError | undefined) => void,
  ): void {
    const failed = (thrown: unknown): void => ended(this.failure(spec, thrown));
    const settle = (result: unknown): void => {
      try {
        if (isThenable(result)) {
          Promise.resolve(result).then(settle, failed);
          return;
        }
        const source = sourceOf(result, {
          ...NOWHERE,
          end: () => ended(undefined),
          // a generator inside of an Observable that failed has its cleanup to do
          fail: (thrown) => source?.stop(() => failed(thrown)),
          cleanupFailed: (thrown) => {
            this.cleanups.tell(`event ${spec.route.name}: its cleanup failed:`, thrown, undefined);
          },
        });
        if (source) source.resume();
        else ended(undefined);
      } catch (thrown) {
        failed(thrown);
      }
    };
    try {
      const value = spec.payloadSchema ? checked(spec.payloadSchema, payload, 'the payload') : payload;
      settle(isThenable(value) ? value.then((late) => spec.run(late, context)) : spec.run(value, context));
    } catch (thrown) {
      failed(thrown);
    }
  }

  private failure(spec: HandlerSpec, thrown: unknown): GridError {
    logFailure(this.ports.logger, `event ${spec.route.name}:`, thrown);
    return toGridError(thrown, 'INTERNAL');
  }
}
