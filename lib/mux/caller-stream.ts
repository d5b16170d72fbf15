import { failureOfText, framelessError, GridError, TEXT } from '../errors/index.js';
import type { CallObserver, StreamFlow } from '../observe/index.js';
import { Turn } from '../time/index.js';
import {
  decodeCapacity,
  decodeErrorText,
  decodePong,
  Flag,
  Op,
  type Message,
  type Metadata,
  type MuxId,
} from '../wire/index.js';
import { BlockWatch, type StreamLook, type WatchedStream } from './block-watch.js';
import { wireDeadline, type StreamInit } from './call-init.js';
import type { OutgoingCall, OutgoingPorts } from './call-ports.js';
import { CallerSender, type CallerSenderOwner } from './caller-sender.js';
import { CLEAN_END } from './end.js';
import { failureOf, ownMetadata, refusalOf } from './error-metadata.js';
import { Inbound } from './inbound.js';
import { oversizeMetadata } from './metadata-cap.js';
import { closedOutbound, Outbound } from './outbound.js';
import { Sequence } from './sequence.js';
import { StreamDeadline } from './stream-deadline.js';

const EMPTY = new Uint8Array(0);
const NO_INPUT =
  'the handler takes no input: its inCapacity is 0, ' +
  'or its host does not announce it and the call needs the option inCapacity';

/** "when the last sign of life is older than 30 s", two intervals (wire spec §8). */
const QUIET_TURNS = 2;

/** A stream of ours, at the caller: what goes to the handler is `input`, what comes from it is `output`. */
export class CallerStream extends Turn implements OutgoingCall, CallerSenderOwner, WatchedStream {
  readonly output: Inbound;
  /**
   * Called once when the call is over on the wire, just before the reader is told; items may still wait in `output`.
   * Does not throw.
   */
  onOver: ((error: GridError | undefined) => void) | undefined = undefined;
  /** What the handler gave along with its end; known when `onOver` is called. */
  responseMetadata: Metadata | undefined = undefined;
  /** @internal */
  readonly observer: CallObserver;

  private readonly sender: CallerSender;
  private readonly received = new Sequence();
  /** Undefined as long as nobody asks for one that was closed from the start. */
  private inputHalf: Outbound | undefined = undefined;
  /**
   * Pings whose turn came since the last sign of life; not milliseconds: who slept did not hear what came meanwhile.
   */
  private quietTurns = 0;
  private deadline: StreamDeadline | undefined = undefined;
  private blockWatch: BlockWatch | undefined = undefined;
  private pings = 0;
  private position = 0;
  private state: 'open' | 'over' = 'open';

  private constructor(
    private readonly ports: OutgoingPorts,
    private readonly muxId: MuxId,
    readonly handler: number,
    pattern: string | undefined,
    private readonly inCapacity: number,
    outCapacity: number | undefined,
    /** @internal */
    readonly openedAt: number,
  ) {
    super();
    this.sender = new CallerSender(ports, muxId, this);
    this.output = new Inbound(outCapacity ?? ports.limits.unreadMessages, this.sender);
    this.observer = ports.observer.callsOf('outgoing', 'stream', handler, pattern);
    this.observer.opened();
  }

  /** @internal */
  static open(ports: OutgoingPorts, muxId: MuxId, init: StreamInit, metadata: Metadata | undefined): CallerStream {
    const { handler, pattern, inCapacity = 0, outCapacity } = init;
    const now = ports.clock.now();
    const stream = new CallerStream(ports, muxId, handler, pattern, inCapacity, outCapacity, now);
    if (init.payload) stream.observer.sent(init.payload.length);
    const flags = (init.input ? 0 : Flag.Eof) | (init.payload?.length === 0 ? Flag.PayloadIsZero : 0);
    const deadlineMs = wireDeadline(init.timeoutMs);
    stream.position = ports.emitter.open(Op.ConnectMux, muxId, init, deadlineMs, flags, metadata);
    stream.sender.opened(stream.position);
    if (init.input) stream.inputHalf = new Outbound(stream.sender);
    // it may set timers, while the peer is at work
    stream.watchTime(init.timeoutMs);
    return stream;
  }

  /**
   * The stream that a request with MANY became; the AckMux that says so is handed to `receive` next (spec §11).
   * @internal
   */
  static upgraded(
    ports: OutgoingPorts,
    muxId: MuxId,
    handler: number,
    pattern: string | undefined,
    timeoutMs: number | undefined,
    position: number,
    openedAt: number,
  ): CallerStream {
    const stream = new CallerStream(ports, muxId, handler, pattern, 0, undefined, openedAt);
    stream.position = position;
    stream.sender.opened(position);
    stream.watchTime(timeoutMs);
    return stream;
  }

  /** Closed from the start where the call was opened without input. */
  get input(): Outbound {
    return (this.inputHalf ??= closedOutbound(this.sender));
  }

  /** For statistics. */
  get flow(): StreamFlow {
    const { inputHalf, output, observer } = this;
    return {
      observer,
      credits: inputHalf?.credits ?? 0,
      starved: inputHalf?.starved ?? false,
      unread: output.available,
    };
  }

  get over(): boolean {
    return this.state === 'over';
  }

  /** @internal */
  get deadlineAt(): number | undefined {
    return this.deadline?.dueAt;
  }

  /** @internal */
  deadlinePassed(): void {
    this.cancel(framelessError('DEADLINE_EXCEEDED', TEXT.deadline));
  }

  /** @internal */
  look(): StreamLook {
    const moves = this.sender.count - this.pings;
    return { direction: 'outgoing', handler: this.handler, inbound: this.output, outbound: this.input, moves };
  }

  /** Ends the stream now: the handler is told, `output` ends with the error after the items already received. */
  cancel(error: GridError): void {
    if (this.state === 'over') return;
    if (this.ports.emitter.outbox.withdraw(this.position)) {
      this.finish(error.with({ notSent: true }));
      return;
    }
    this.ports.cancels.cancel(this.muxId, this);
    // whatever call it is the error of: this one was sent
    this.finish(error.notSent ? error.with({ notSent: false }) : error);
  }

  /** @internal */
  receive(message: Message, cameAt: number): void {
    this.quietTurns = 0;
    switch (message.op) {
      case Op.AckMux:
        if (this.inOrder(message)) this.handleAck(message);
        return;
      case Op.MuxServerMsg:
        if (this.inOrder(message)) this.handleItem(message, cameAt);
        return;
      case Op.UnblockClMux:
        if (this.inOrder(message)) this.inputHalf?.grant();
        return;
      case Op.DisconnectClientMux:
        this.finish(
          failureOfText(message.flags & Flag.PayloadIsErr ? decodeErrorText(message.payload) : TEXT.terminated),
        );
        return;
      case Op.MuxConnectError:
        this.finish(refusalOf(message));
        return;
      case Op.Pong:
        this.handlePong(message);
        return;
      default:
        this.ports.observer.dropped('odd-op');
    }
  }

  /** @internal */
  drop(error: GridError): void {
    this.finish(error.with({ notSent: !this.ports.emitter.outbox.isHanded(this.position) }));
  }

  /**
   * Its turn in the round of pings has come.
   * @internal
   */
  ping(): void {
    // what the peer was not asked yet it cannot answer: the ping of the last turn waits behind other messages
    const asked = this.ports.emitter.outbox.isHanded(this.sender.lastPosition);
    if (asked && ++this.quietTurns > QUIET_TURNS) {
      this.cancel(framelessError('UNAVAILABLE', TEXT.disconnected, { reason: 'disconnected' }));
      return;
    }
    this.pings++;
    this.sender.ping();
    this.ports.pings.add(this);
  }

  private watchTime(timeoutMs: number | undefined): void {
    const { ports, openedAt } = this;
    if (timeoutMs !== undefined) {
      this.deadline = new StreamDeadline(this);
      ports.deadlines.add(this.deadline, openedAt + timeoutMs);
    }
    // a stream that ends by its deadline before the second ping would be due needs none (spec §8)
    if (timeoutMs === undefined || timeoutMs > ports.intervals.streamPingMs) ports.pings.add(this, openedAt);
  }

  private handleAck(message: Message): void {
    let { inCapacity } = this;
    if (message.payload && this.ports.dialect.extensions.has('capacity')) {
      const capacity = decodeCapacity(message.payload);
      inCapacity = capacity.in;
      this.output.announced(capacity.out);
    }
    const { inputHalf } = this;
    if (!inputHalf) return;
    if (inCapacity > 0 || inputHalf.closed) {
      inputHalf.open(inCapacity);
      if (!inputHalf.closed) this.blockWatch ??= new BlockWatch(this.ports, this);
      return;
    }
    // the handler takes no input: it is told the end of it, write() fails and the call goes on (spec §11, `capacity`)
    this.ports.observer.dropped('unwanted-input');
    this.sender.emitEnd();
    inputHalf.close(new GridError('FAILED_PRECONDITION', NO_INPUT));
  }

  private handleItem(message: Message, cameAt: number): void {
    if (message.flags & Flag.Eof) {
      this.handleEnd(message, cameAt);
      return;
    }
    if (message.flags & Flag.PayloadIsErr) {
      // only an end has an error: its text is no message
      this.cancel(failureOf(decodeErrorText(message.payload), message.metadata));
      return;
    }
    const payload = message.payload ?? EMPTY;
    this.observer.received(payload.length);
    const overrun = this.output.push(payload);
    if (overrun) this.cancel(overrun);
  }

  private handleEnd(message: Message, cameAt: number): void {
    const oversize = oversizeMetadata(message);
    if (oversize) {
      this.finish(oversize);
      return;
    }
    this.responseMetadata = ownMetadata(message.metadata);
    if (message.flags & Flag.PayloadIsErr) {
      this.finish(failureOf(decodeErrorText(message.payload), message.metadata));
      return;
    }
    let refusal: GridError | undefined;
    if (message.payload) {
      this.observer.received(message.payload.length);
      refusal = this.output.append(message.payload);
    }
    this.finish(refusal, cameAt);
  }

  private handlePong(message: Message): void {
    const pong = decodePong(message.payload);
    if (pong.notFound || pong.error) this.finish(failureOfText(TEXT.terminated));
  }

  private inOrder(message: Message): boolean {
    if (this.received.mismatch(message.seq) === undefined) return true;
    this.cancel(new GridError('DATA_LOSS', TEXT.outOfSequence, { reason: 'protocol' }));
    return false;
  }

  private finish(error: GridError | undefined, now = this.ports.clock.now()): void {
    if (this.state === 'over') return;
    this.state = 'over';
    if (this.deadline) this.ports.deadlines.remove(this.deadline);
    this.ports.pings.remove(this);
    this.blockWatch?.stop();
    this.ports.release(this.muxId);
    this.observer.ended(error?.code, now - this.openedAt);
    try {
      this.inputHalf?.close(error ?? 'ended');
    } finally {
      // that ends the application's input, which may do anything: who reads is told all the same
      this.onOver?.(error);
      this.output.finish(error ? { error } : CLEAN_END);
      // what nobody reads any more shall not count for ever
      this.output.unaccount();
    }
  }
}
