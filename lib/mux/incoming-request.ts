import { framelessError, GridError, TEXT } from '../errors/index.js';
import type { CallObserver } from '../observe/index.js';
import type { Deadline } from '../time/index.js';
import { Flag, Op, type Message, type Metadata, type MuxId } from '../wire/index.js';
import type { IncomingCall, IncomingPorts } from './call-ports.js';
import type { CallHandler } from './handler.js';
import { heldBytesOf } from './held-bytes.js';
import { HandlerStream } from './handler-stream.js';
import { overflow } from './overflow.js';
import type { PayloadEncoder } from './payload-encoder.js';

type State =
  | typeof RUNNING
  /** Answered, or handed on to a stream: nothing is left to do here. */
  | typeof ENDED
  /** Over for the peer; the handler may still run. */
  | { readonly kind: 'aborted'; readonly error: GridError };

const RUNNING = { kind: 'running' } as const;
const ENDED = { kind: 'ended' } as const;

/**
 * A single request of the peer. Whoever handles it calls `respond`, `fail` or `upgrade` once, after an abort too: that
 * is how the mux counts the handlers that really ended.
 */
export class IncomingRequest implements IncomingCall, Deadline {
  /** @internal The deadline wheel's, like the three after it. */
  dueAt = 0;
  /** @internal */
  slot = -1;
  /** @internal */
  before: Deadline | undefined = undefined;
  /** @internal */
  after: Deadline | undefined = undefined;

  /** @internal */
  readonly muxId: MuxId;
  /** @internal */
  readonly seq: number;
  readonly handler: number;
  /** The subroute id as hex. */
  readonly subroute: string | undefined;
  readonly payload: Uint8Array | undefined;
  /** What the caller sent along. */
  readonly metadata: Metadata | undefined;
  /** On the mux's clock; undefined: the caller gave none. */
  readonly deadlineAt: number | undefined;
  /** The caller takes a stream as the answer too. */
  readonly many: boolean;

  /** What it holds of `heldBytes`. */
  private openingBytes: number;
  private readonly observer: CallObserver;
  private state: State = RUNNING;
  private abortListener: ((error: GridError) => void) | undefined = undefined;

  /** @internal */
  constructor(
    private readonly ports: IncomingPorts,
    opening: Message,
    subroute: string | undefined,
    private readonly callee: CallHandler,
    readonly openedAt: number,
  ) {
    this.muxId = opening.muxId;
    this.seq = opening.seq;
    this.handler = opening.handler;
    this.subroute = subroute;
    // an empty request arrives as "none" (spec §5)
    this.payload = opening.payload?.length === 0 ? undefined : opening.payload;
    this.metadata = opening.metadata;
    this.many = (opening.flags & Flag.Many) !== 0;
    this.deadlineAt = opening.deadlineMs > 0 ? openedAt + opening.deadlineMs : undefined;
    this.openingBytes = heldBytesOf(opening);
    ports.held.add(this.openingBytes);
    ports.handlerStarted('request');
    this.observer = ports.observer.callsOf('incoming', 'request', this.handler, callee.pattern);
    this.observer.opened();
    if (this.payload) this.observer.received(this.payload.length);
  }

  /** Set when the caller has gone: cancelled, past its deadline or disconnected. */
  get aborted(): GridError | undefined {
    return this.state.kind === 'aborted' ? this.state.error : undefined;
  }

  get onAbort(): ((error: GridError) => void) | undefined {
    return this.abortListener;
  }

  /**
   * Called once when the call is aborted. The deadline is watched only from here on, where the caller tells of it too:
   * most handlers end long before.
   */
  set onAbort(listener: ((error: GridError) => void) | undefined) {
    this.abortListener = listener;
    if (listener) this.watchBound();
  }

  /**
   * The time is watched of which nobody else will tell: that in which a caller without a deadline is to be answered,
   * even if it has no clock of its own (spec §11), and the deadline of one that knows no cancel. To be called once,
   * when the handler has been started: many have answered by then and need no timer.
   * @internal
   */
  watchTime(): void {
    if (this.deadlineAt === undefined ? this.many : !this.ports.cancels) this.watchBound();
  }

  /** @internal */
  onDue(): void {
    // a caller that gave no deadline need not have a clock of its own (spec §11)
    if (this.deadlineAt === undefined) this.sendError(timedOut(), undefined);
    this.abort(timedOut());
  }

  /**
   * What its payload was made into takes so many bytes more, until the handler has ended. The error says that they may
   * not be held. To be called before the handler runs.
   */
  hold(bytes: number): GridError | undefined {
    const refusal = this.ports.held.grow(bytes);
    if (!refusal) this.openingBytes += bytes;
    return refusal;
  }

  /** A result to answer with next, before anything else is sent: see `Outbox.encode`. */
  encode(value: unknown, codec: PayloadEncoder): Uint8Array {
    return this.ports.emitter.outbox.encode(value, codec);
  }

  /**
   * Answers. undefined = no result, an empty array = an empty result. A result later than the deadline is dropped, and
   * so is metadata towards a peer that knows none.
   */
  respond(payload: Uint8Array | undefined, metadata?: Metadata): void {
    const { payloadCap, emitter } = this.ports;
    const refusal = payloadCap.check(payload, metadata) ?? overflow(emitter.outbox, payload?.length ?? 0, metadata);
    this.answer(refusal, payload, metadata);
  }

  /**
   * Answers before the work is done, with nothing or with an error: from now on it is not the caller's any more. The
   * handler counts as running until the returned function is called, once.
   */
  answerEarly(error?: GridError, metadata?: Metadata): () => void {
    this.conclude(error, undefined, metadata);
    return () => this.countEnd();
  }

  /** Answers with an error. */
  fail(error: GridError, metadata?: Metadata): void {
    this.answer(error, undefined, metadata);
  }

  /**
   * Goes on as a stream, which takes over the duty to end. Only for a call with `many` that is not over.
   * @throws GridError RESOURCE_EXHAUSTED past `limits.openStreams`: the request is still to be answered.
   */
  upgrade(): HandlerStream {
    const stream = this.becomeStream();
    stream.watchTime();
    return stream;
  }

  /**
   * The same for a handler that is still to be started, after which its time is to be watched.
   * @internal
   */
  becomeStream(): HandlerStream {
    if (!this.many || this.state.kind !== 'running') {
      throw new GridError('FAILED_PRECONDITION', 'upgrade() of a request that cannot become a stream');
    }
    const refusal = this.ports.refuseStream();
    if (refusal) throw refusal;
    this.ports.deadlines.remove(this);
    this.state = ENDED;
    const { ports, openingBytes, subroute, callee, deadlineAt } = this;
    const now = ports.clock.now();
    this.observer.ended(undefined, now - this.openedAt);
    const stream = HandlerStream.upgraded(ports, this, openingBytes, subroute, callee, deadlineAt, now);
    this.countEnd();
    this.ports.replace(this.muxId, stream);
    stream.acknowledge();
    return stream;
  }

  /** @internal */
  takes(op: Op): boolean {
    return op === Op.DisconnectServerMux;
  }

  /** @internal */
  receive(_cancel: Message): void {
    // without the extension a caller's cancel is its own business: the answer is still due (spec §5)
    if (!this.ports.cancels) this.ports.observer.dropped('odd-op');
    else this.abort(framelessError('CANCELLED', TEXT.cancelled, { remote: true }));
  }

  /** @internal */
  drop(error: GridError): void {
    this.abort(error);
  }

  private answer(error: GridError | undefined, payload: Uint8Array | undefined, metadata: Metadata | undefined): void {
    if (this.state.kind === 'ended') return;
    this.countEnd();
    this.conclude(error, payload, metadata);
  }

  private conclude(
    error: GridError | undefined,
    payload: Uint8Array | undefined,
    metadata: Metadata | undefined,
  ): void {
    const { state } = this;
    this.state = ENDED;
    this.ports.deadlines.remove(this);
    if (state.kind === 'aborted') return;
    const bound = this.bound();
    const now = this.ports.clock.now();
    if (bound !== undefined && now > bound) {
      error = timedOut();
      // a caller that gave no deadline need not have a clock of its own (spec §11)
      if (this.deadlineAt === undefined) this.sendError(error, undefined);
      else this.ports.observer.dropped('late-result');
    } else if (error) {
      this.sendError(error, metadata);
    } else {
      if (payload) this.observer.sent(payload.length);
      this.ports.emitter.sendLast(Op.Response, this.muxId, this.seq, payload, metadata);
    }
    this.over(error, now);
  }

  private sendError(error: GridError, metadata: Metadata | undefined): void {
    const { emitter } = this.ports;
    emitter.sendError(Op.Response, this.muxId, this.seq, emitter.errorAnswer(error, metadata));
  }

  private abort(error: GridError): void {
    if (this.state.kind !== 'running') return;
    this.state = { kind: 'aborted', error };
    this.ports.deadlines.remove(this);
    this.over(error, this.ports.clock.now());
    this.abortListener?.(error);
  }

  private watchBound(): void {
    if (this.slot >= 0 || this.state.kind !== 'running') return;
    const bound = this.bound();
    if (bound !== undefined) this.ports.deadlines.add(this, bound);
  }

  private over(error: GridError | undefined, now: number): void {
    this.ports.release(this.muxId, this);
    this.observer.ended(error?.code, now - this.openedAt);
  }

  private countEnd(): void {
    this.ports.held.free(this.openingBytes);
    this.ports.handlerEnded('request');
  }

  /** A MANY without a deadline has this time for its first answer; what comes of it then has none (spec §11). */
  private bound(): number | undefined {
    if (this.deadlineAt !== undefined || !this.many) return this.deadlineAt;
    return this.openedAt + this.ports.intervals.requestTimeoutMs;
  }
}

function timedOut(): GridError {
  return framelessError('DEADLINE_EXCEEDED', TEXT.deadline);
}
