import { GridError, TEXT, toGridError } from '../errors/index.js';
import { encodeToKeep, type HandlerStream, type IncomingRequest } from '../mux/index.js';
import type { Metadata } from '../wire/index.js';
import type { AnswerPorts } from './answer.js';
import { CallContext, type ContextFacts } from './call-context.js';
import { encodeOptional } from './codec.js';
import { DEFAULT_OUT_CAPACITY } from './handler-spec.js';
import { unreadable } from './message-reader.js';
import { UnsendableValue, type Outflow } from './outflow.js';
import { isThenable } from './result-kind.js';
import { discardResult, sourceOf } from './source-of.js';
import type { Sink, Source } from './source.js';
import { StreamAnswer } from './stream-answer.js';
import { decodeOpening } from './weighed.js';

/**
 * The answer to one request: exactly one value. Where the caller takes a stream too (MANY), the first value is held
 * until `setImmediate`; a result that is complete by then is a Response, any other goes on as a stream.
 */
export class RequestAnswer implements Sink {
  readonly context: CallContext;
  private source: Source | undefined = undefined;
  private holds = false;
  /** The first value, as bytes: whoever gave it may change it. No payload for `undefined`. */
  private held: Uint8Array | undefined = undefined;
  private decision: NodeJS.Immediate | undefined = undefined;
  /** What it goes on as. */
  private flow: Outflow | undefined = undefined;
  private over = false;

  constructor(
    private readonly call: IncomingRequest,
    facts: ContextFacts,
    private readonly ports: AnswerPorts,
  ) {
    this.context = new CallContext(facts, call, (ports.spec.inCapacity ?? 0) > 0 ? NO_INPUT : undefined);
  }

  start(): void {
    let payload: unknown;
    try {
      payload = decodeOpening(this.ports.spec.codec, this.call);
    } catch (thrown) {
      this.fail(unreadable(thrown, 'the payload'));
      return;
    }
    let result: unknown;
    try {
      result = this.ports.run(payload, this.context);
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    this.settle(result);
  }

  isReady(): boolean {
    return !this.over;
  }

  value(value: unknown): void {
    if (this.over) return;
    if (this.holds) this.goOn((flow) => flow.value(value));
    else this.hold(value);
  }

  end(): void {
    if (!this.over) this.respondWith(this.held);
  }

  fail(thrown: unknown): void {
    if (this.over) return;
    const { aborted } = this.call;
    // what a handler throws because it was aborted is nobody's failure
    if (aborted) this.refuse(aborted);
    // the value that came before the error must not be lost
    else if (this.holds && this.call.many) this.upgrade()?.fail(thrown);
    else this.failWith(this.ports.errorOf(thrown));
  }

  cleanupFailed(thrown: unknown): void {
    this.ports.cleanupFailed(thrown, this.context.aborted);
  }

  private settle(result: unknown): void {
    // bytes are what they look like, and a look at each thing that they are not costs more than the rest
    if (ArrayBuffer.isView(result) && !this.call.aborted) {
      this.respond(result);
      return;
    }
    try {
      if (isThenable(result)) {
        Promise.resolve(result).then(
          (late) => this.settle(late),
          (thrown: unknown) => this.fail(thrown),
        );
        return;
      }
      const { aborted } = this.call;
      if (aborted) {
        discardResult(result, (thrown) => this.cleanupFailed(thrown));
        this.refuse(aborted);
        return;
      }
      this.source = sourceOf(result, this);
      if (this.source === undefined) {
        this.respond(result);
        return;
      }
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    this.call.onAbort = (error) => this.abort(error);
    this.source.resume();
  }

  private hold(value: unknown): void {
    let payload: Uint8Array | undefined;
    try {
      payload = value === undefined ? undefined : encodeToKeep(value, this.ports.spec.codec);
    } catch (thrown) {
      (this.flow ?? this).fail(new UnsendableValue(thrown));
      return;
    }
    if (this.holds) {
      // a getter of the value has given another one: that came first
      this.goOn((flow) => flow.encoded(payload));
      return;
    }
    if (this.over) return;
    this.holds = true;
    this.held = payload;
    if (!this.call.many) return;
    // to see whether a generator ends here, one more value has to be asked for: it needs a second credit
    const { outCapacity = DEFAULT_OUT_CAPACITY } = this.ports.spec;
    if (outCapacity < 2) this.upgrade();
    else this.decision = setImmediate(() => this.upgrade());
  }

  /** There is a value behind the one that is held. */
  private goOn(give: (flow: Outflow) => void): void {
    if (this.flow) give(this.flow);
    else if (this.over) return;
    else if (this.call.many) this.upgrade(give);
    else this.breakOff(new GridError('FAILED_PRECONDITION', TEXT.streamsOnly), this.context.responseMetadata);
  }

  /** Goes on as a stream, which takes over the source, the held value and what `more` gives. */
  private upgrade(more?: (flow: Outflow) => void): Outflow | undefined {
    const { source } = this;
    if (this.over || !source) return undefined;
    let stream: HandlerStream;
    try {
      stream = this.call.upgrade();
    } catch (refused) {
      this.breakOff(toGridError(refused));
      return undefined;
    }
    this.close();
    return StreamAnswer.continued(stream, this.context, this.ports, source, (flow) => {
      this.flow = flow;
      flow.encoded(this.held);
      more?.(flow);
    });
  }

  private respond(value: unknown): void {
    let payload: Uint8Array | undefined;
    try {
      payload = encodeOptional(this.call, this.ports.spec.codec, value);
    } catch (thrown) {
      this.fail(new UnsendableValue(thrown));
      return;
    }
    this.respondWith(payload);
  }

  private respondWith(payload: Uint8Array | undefined): void {
    this.close();
    this.call.respond(payload, this.context.responseMetadata);
    this.ports.ended(undefined);
  }

  private abort(error: GridError): void {
    this.context.abort(error);
    if (this.over) return;
    this.close();
    this.source?.stop(() => {
      this.call.fail(error);
      this.ports.ended(error);
    });
  }

  private failWith(error: GridError): void {
    // the application made it, and may have ended the call by that
    if (this.over) return;
    const { responseMetadata } = this.context;
    if (this.source) this.breakOff(error, responseMetadata);
    else this.refuse(error, responseMetadata);
  }

  /**
   * Fails the call, whose source may run on. The caller need not wait for the cleanup of the handler, its place has to.
   */
  private breakOff(error: GridError, metadata?: Metadata): void {
    this.close();
    const ended = this.call.answerEarly(error, metadata);
    let runs = true;
    this.source?.stop(() => {
      runs = false;
      ended();
      this.ports.ended(error);
    });
    // what of it waits for the signal would wait for ever
    if (runs) this.context.abort(error);
  }

  private refuse(error: GridError, metadata?: Metadata): void {
    this.close();
    this.call.fail(error, metadata);
    this.ports.ended(error);
  }

  private close(): void {
    this.over = true;
    if (this.decision) clearImmediate(this.decision);
  }
}

/** A request has no input; a handler that takes it from streams finds it ended. */
const NO_INPUT: AsyncIterable<never> = Object.freeze({
  async *[Symbol.asyncIterator](): AsyncGenerator<never, undefined> {},
});
