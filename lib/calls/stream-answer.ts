import { GridError } from '../errors/index.js';
import type { HandlerStream, HeldBytes, Outbound } from '../mux/index.js';
import type { AnswerPorts } from './answer.js';
import { CallContext, type ContextFacts } from './call-context.js';
import { DEFAULT_OUT_BUFFER } from './handler-spec.js';
import { MessageReader, unreadable } from './message-reader.js';
import { Outflow, type OutflowPorts } from './outflow.js';
import { isThenable } from './result-kind.js';
import { discardResult, sourceOf } from './source-of.js';
import type { Source } from './source.js';
import { checked } from './standard-schema.js';
import { decodeOpening } from './weighed.js';

/** The answer to one stream: each value a message, then the end. */
export class StreamAnswer implements OutflowPorts {
  private readonly flow: Outflow;
  /** It flows once the handler's result is known. */
  private stage: 'running' | 'flowing' | 'over' = 'running';

  private constructor(
    private readonly stream: HandlerStream,
    readonly context: CallContext,
    private readonly ports: AnswerPorts,
  ) {
    this.flow = new Outflow(this);
    stream.onAbort = (error) => this.abort(error);
  }

  static to(stream: HandlerStream, facts: ContextFacts, ports: AnswerPorts): StreamAnswer {
    const input = (ports.spec.inCapacity ?? 0) === 0 ? undefined : new CallInput(stream, ports);
    return new StreamAnswer(stream, new CallContext(facts, stream, input), ports);
  }

  /** Goes on with a request that became a stream; `give` gives its first values. */
  static continued(
    stream: HandlerStream,
    context: CallContext,
    ports: AnswerPorts,
    source: Source,
    give: (flow: Outflow) => void,
  ): Outflow {
    const { flow } = new StreamAnswer(stream, context, ports).take();
    flow.attach(source, give);
    return flow;
  }

  get outbound(): Outbound {
    return this.stream.output;
  }

  get unsent(): HeldBytes {
    return this.stream.unsent;
  }

  get outBuffer(): number {
    return this.ports.spec.outBuffer ?? DEFAULT_OUT_BUFFER;
  }

  encode(value: unknown, waiting: number): Uint8Array {
    return this.stream.output.encode(value, this.ports.spec.codec, waiting);
  }

  onEnd(): void {
    this.finish(undefined);
  }

  onFail(thrown: unknown): void {
    // what a handler throws because it was aborted is nobody's failure
    const error = this.stream.aborted ?? this.ports.errorOf(thrown);
    // the application made it, and may have ended the call by that
    if (this.stage === 'over') return;
    if (!this.flow.awaitSource(() => this.finish(error))) {
      this.finish(error);
      return;
    }
    // the caller need not wait for the cleanup of the handler, its place has to; the error may wait for a credit still
    this.stream.onAbort = undefined;
    this.stream.output.finish(error, this.context.responseMetadata);
    // what of it waits for the signal would wait for ever
    this.context.abort(error);
  }

  onCleanupFailed(thrown: unknown): void {
    this.ports.cleanupFailed(thrown, this.context.aborted);
  }

  /** Runs the handler. */
  start(): void {
    if (this.stream.aborted) {
      this.finish(this.stream.aborted);
      return;
    }
    let payload: unknown;
    try {
      payload = decodeOpening(this.ports.spec.codec, this.stream);
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

  private settle(result: unknown): void {
    const { flow, stream } = this;
    let source: Source | undefined;
    try {
      if (isThenable(result)) {
        Promise.resolve(result).then(
          (late) => this.settle(late),
          (thrown: unknown) => this.onRejected(thrown),
        );
        return;
      }
      if (stream.aborted) {
        discardResult(result, (thrown) => this.onCleanupFailed(thrown));
        this.finish(stream.aborted);
        return;
      }
      source = sourceOf(result, flow);
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    this.take();
    if (source) {
      flow.attach(source);
      return;
    }
    // a handler that gives nothing sends nothing; `undefined` as a message comes from Observables and generators only
    if (result !== undefined) flow.value(result);
    flow.end();
  }

  private onRejected(thrown: unknown): void {
    if (this.stream.aborted) this.finish(this.stream.aborted);
    else this.fail(thrown);
  }

  /** Ends the call with what was thrown before there was a result. */
  fail(thrown: unknown): void {
    this.take().flow.fail(thrown);
  }

  private take(): this {
    this.stage = 'flowing';
    return this;
  }

  private abort(error: GridError): void {
    this.context.abort(error);
    // a handler whose Promise is still pending has not ended: `settle` tells when it has
    if (this.stage === 'flowing') this.flow.stop(() => this.finish(error));
  }

  /** The handler has ended. Said to the mux after an abort too: it counts. */
  private finish(error: GridError | undefined): void {
    this.stage = 'over';
    this.stream.onAbort = undefined;
    const { responseMetadata } = this.context;
    if (error) this.stream.output.fail(error, responseMetadata);
    else this.stream.output.end(responseMetadata);
    this.ports.ended(error);
  }
}

/** The caller's messages, for one reader, which is made only for a handler that reads. */
class CallInput implements AsyncIterable<unknown> {
  // nothing for who logs what a handler is given
  readonly #stream: HandlerStream;
  readonly #ports: AnswerPorts;
  #opened = false;

  constructor(stream: HandlerStream, ports: AnswerPorts) {
    this.#stream = stream;
    this.#ports = ports;
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    if (this.#opened) throw new GridError('FAILED_PRECONDITION', 'the messages of a call have one reader only');
    this.#opened = true;
    return new InputReader(this.#stream, this.#ports);
  }
}

/** The caller's messages, as the handler reads them. */
class InputReader extends MessageReader {
  constructor(
    stream: HandlerStream,
    private readonly ports: AnswerPorts,
  ) {
    super(stream.input);
  }

  protected decode(payload: Uint8Array): unknown {
    const { codec, inputSchema } = this.ports.spec;
    const value = codec.decode(payload);
    return inputSchema === undefined ? value : checked(inputSchema, value, 'a message of the input');
  }

  protected named(error: GridError): GridError {
    return error;
  }

  protected broken(thrown: unknown): GridError {
    return unreadable(thrown, 'a message of the input');
  }

  protected onLeave(): void {}
}
