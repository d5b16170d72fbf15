import { framelessError, TEXT, type GridError } from '../errors/index.js';
import type { CallHandler, HandlerStream, IncomingRequest } from '../mux/index.js';
import type { Clock } from '../time/index.js';
import type { Answer, AnswerPorts, PatternPorts } from './answer.js';
import { inOwnContext } from './async-context.js';
import { contextFacts, type CallContext, type ContextFacts } from './call-context.js';
import { CleanupLog } from './cleanup-log.js';
import { admission, gateOf, type Gate } from './gate.js';
import { failureOf } from './handler-failure.js';
import { DEFAULT_OUT_CAPACITY, type HandlerSpec } from './handler-spec.js';
import { InterceptedHandler } from './intercept-handler.js';
import { RequestAnswer } from './request-answer.js';
import { isThenable } from './result-kind.js';
import { checked } from './standard-schema.js';
import { StreamAnswer } from './stream-answer.js';

/** Answers the requests and streams of one pattern. */
export class MessageAnswer implements Answer, AnswerPorts {
  private readonly gate: Gate | undefined;
  private readonly cleanups: CleanupLog;

  constructor(
    readonly spec: HandlerSpec,
    private readonly ports: PatternPorts,
  ) {
    this.gate = gateOf(spec);
    this.cleanups = new CleanupLog(ports);
  }

  for(peer: string): CallHandler {
    const { kind, inCapacity = 0, outCapacity = DEFAULT_OUT_CAPACITY, route } = this.spec;
    const facts = contextFacts(peer, this.spec, this.ports.clock);
    return {
      inCapacity,
      outCapacity,
      ...(route.subroute !== undefined && { pattern: route.name }),
      ...(this.gate && { admit: admission(this.gate, this.spec) }),
      ...(kind !== 'stream' && { onRequest: (call: IncomingRequest) => this.acceptRequest(call, facts) }),
      ...(kind !== 'request' && { onStream: (call: HandlerStream) => this.acceptStream(call, facts) }),
    };
  }

  readonly run = (payload: unknown, context: CallContext): unknown => {
    const { payloadSchema, run } = this.spec;
    if (payloadSchema === undefined) return run(payload, context);
    const value = checked(payloadSchema, payload, 'the payload');
    return isThenable(value) ? value.then((late) => run(late, context)) : run(value, context);
  };

  readonly errorOf = (thrown: unknown): GridError => failureOf(thrown, this.spec, this.ports.logger);

  readonly cleanupFailed = (thrown: unknown, ended: GridError | undefined): void =>
    this.cleanups.tell(`handler ${this.spec.route.name}: its cleanup failed:`, thrown, ended);

  readonly ended = (): void => this.gate?.leave();

  private startIntercepted(kind: 'request' | 'stream', answerOf: (ports: AnswerPorts) => StartingAnswer): void {
    const { interceptors, logger } = this.ports;
    const { spec, run, errorOf, cleanupFailed } = this;
    const ended = (error: GridError | undefined): void => {
      intercepted.ended(error);
      this.ended();
    };
    const answer = answerOf({ spec, run, errorOf, cleanupFailed, ended });
    const intercepted = new InterceptedHandler(
      { kind, context: answer.context },
      { interceptors, logger, run: () => answer.start(), fail: (thrown) => answer.fail(thrown) },
    );
    intercepted.start();
  }

  private readonly startRequest = (call: IncomingRequest, facts: ContextFacts): void => {
    if (this.ports.interceptors.length === 0) new RequestAnswer(call, facts, this).start();
    else this.startIntercepted('request', (ports) => new RequestAnswer(call, facts, ports));
  };

  private readonly startStream = (call: HandlerStream, facts: ContextFacts): void => {
    if (this.ports.interceptors.length === 0) StreamAnswer.to(call, facts, this).start();
    else this.startIntercepted('stream', (ports) => StreamAnswer.to(call, facts, ports));
  };

  private acceptRequest(call: IncomingRequest, facts: ContextFacts): void {
    if (this.gate) {
      const start = (): void => inOwnContext(this.startRequest, call, facts);
      waitFor(this.gate, this.ports.clock, call, start, (error) => call.fail(error));
    } else inOwnContext(this.startRequest, call, facts);
  }

  private acceptStream(call: HandlerStream, facts: ContextFacts): void {
    if (this.gate) {
      const start = (): void => inOwnContext(this.startStream, call, facts);
      waitFor(this.gate, this.ports.clock, call, start, (error) => call.output.fail(error));
    } else inOwnContext(this.startStream, call, facts);
  }
}

/** A call that is about to be answered. */
interface StartingAnswer {
  readonly context: CallContext;
  start(): void;
  /** In place of `start`. */
  fail(thrown: unknown): void;
}

/** Starts a call once its turn has come; one that is aborted before, or whose time is over by then, never starts. */
function waitFor(
  gate: Gate,
  clock: Clock,
  call: IncomingRequest | HandlerStream,
  start: () => void,
  giveUp: (error: GridError) => void,
): void {
  let turn: 'first' | 'waits' | 'has come' = 'first';
  const leaveQueue = gate.enter(() => {
    const waited = turn === 'waits';
    turn = 'has come';
    call.onAbort = undefined;
    // its own timer may be the next one: many that wait have one deadline
    if (waited && call.deadlineAt !== undefined && clock.now() >= call.deadlineAt) {
      giveUp(framelessError('DEADLINE_EXCEEDED', TEXT.deadline));
      gate.leave();
    } else start();
  });
  if (turn !== 'first') return;
  turn = 'waits';
  call.onAbort = (error) => {
    if (leaveQueue()) giveUp(error);
  };
}
