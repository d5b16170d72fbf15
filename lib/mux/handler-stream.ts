import { failureOfText, framelessError, GridError, sequenceMismatch, TEXT } from '../errors/index.js';
import type { CallObserver, StreamFlow } from '../observe/index.js';
import { Turn } from '../time/index.js';
import { decodeErrorText, Flag, Op, type Message, type Metadata, type MuxId } from '../wire/index.js';
import { BlockWatch, type StreamLook, type WatchedStream } from './block-watch.js';
import type { IncomingCall, IncomingPorts } from './call-ports.js';
import { outCapacityOf } from './capacity-bodies.js';
import { CLEAN_END, HandlerEnded } from './end.js';
import type { CallHandler } from './handler.js';
import { heldBytesOf, type HeldBytes, type Opening } from './held-bytes.js';
import { endedInbound, Inbound } from './inbound.js';
import { Outbound } from './outbound.js';
import { Sequence } from './sequence.js';
import { StreamDeadline } from './stream-deadline.js';
import { StreamSender, type SenderOwner } from './stream-sender.js';

const EMPTY = new Uint8Array(0);

/**
 * A stream of the peer, at the handler side: what the caller sends is `input`, what goes to it is `output`. Whoever
 * handles it calls `output.end` or `output.fail` once, after an abort too: that is how the mux counts the handlers
 * that really ended.
 */
export class HandlerStream extends Turn implements IncomingCall, SenderOwner, WatchedStream {
  readonly handler: number;
  /** The subroute id as hex. */
  readonly subroute: string | undefined;
  readonly payload: Uint8Array | undefined;
  /** What the caller sent along. */
  readonly metadata: Metadata | undefined;
  /** On the mux's clock; undefined: the caller gave none. */
  readonly deadlineAt: number | undefined;
  readonly output: Outbound;
  /** @internal */
  readonly observer: CallObserver;
  /** Called once when the call is aborted: cancelled, past its deadline, disconnected, ended by the protocol. */
  onAbort: ((error: GridError) => void) | undefined = undefined;

  private readonly muxId: MuxId;
  private readonly sender: StreamSender;
  private readonly received = new Sequence();
  /** Undefined as long as nobody asks for one that had ended when the call came. */
  private inputHalf: Inbound | undefined = undefined;
  private deadline: StreamDeadline | undefined = undefined;
  private blockWatch: BlockWatch | undefined = undefined;
  private abortedBy: GridError | undefined = undefined;
  private onWire: 'open' | 'over' = 'open';
  private handlerEnded = false;

  private constructor(
    private readonly ports: IncomingPorts,
    opening: Opening,
    /** What it holds of `heldBytes` beside its input. */
    private openingBytes: number,
    subroute: string | undefined,
    private readonly callee: CallHandler,
    deadlineAt: number | undefined,
    /** @internal */
    readonly inCapacity: number,
    readonly openedAt: number,
  ) {
    super();
    const { muxId } = opening;
    this.muxId = muxId;
    this.handler = opening.handler;
    this.subroute = subroute;
    this.payload = opening.payload;
    this.metadata = opening.metadata;
    this.deadlineAt = deadlineAt;
    // the opening message was the caller's number 0
    this.received.mismatch(opening.seq);
    this.sender = new StreamSender(ports, muxId, this);
    this.output = new Outbound(this.sender);
    // many streams that hold nothing are no crowd: the payloads of all other calls would be copied
    if (openingBytes > 0) ports.held.add(openingBytes);
    ports.handlerStarted('stream');
    this.observer = ports.observer.callsOf('incoming', 'stream', this.handler, callee.pattern);
    this.observer.opened();
  }

  /** @internal */
  static accept(
    ports: IncomingPorts,
    opening: Message,
    subroute: string | undefined,
    callee: CallHandler,
    cameAt: number,
  ): HandlerStream {
    const deadlineAt = opening.deadlineMs > 0 ? cameAt + opening.deadlineMs : undefined;
    const bytes = heldBytesOf(opening);
    const stream = new HandlerStream(ports, opening, bytes, subroute, callee, deadlineAt, callee.inCapacity, cameAt);
    if (opening.payload) stream.observer.received(opening.payload.length);
    if (opening.flags & Flag.Eof) return stream;
    stream.inputHalf = new Inbound(callee.inCapacity, stream.sender);
    if (ports.dialect.extensions.has('capacity')) stream.inputHalf.announced(callee.inCapacity);
    if (callee.inCapacity > 0) stream.blockWatch = new BlockWatch(ports, stream);
    return stream;
  }

  /**
   * The stream that a request with MANY becomes: its input counts as ended (spec §11).
   * @internal
   */
  static upgraded(
    ports: IncomingPorts,
    opening: Opening,
    openingBytes: number,
    subroute: string | undefined,
    callee: CallHandler,
    deadlineAt: number | undefined,
    now: number,
  ): HandlerStream {
    return new HandlerStream(ports, opening, openingBytes, subroute, callee, deadlineAt, 0, now);
  }

  /**
   * Its time is watched, which runs since it was opened. To be called once, when its handler has been started: many
   * have ended by then and need no timer.
   * @internal
   */
  watchTime(): void {
    if (this.onWire === 'over') return;
    const { ports, deadlineAt, openedAt } = this;
    if (deadlineAt !== undefined) {
      this.deadline = new StreamDeadline(this);
      ports.deadlines.add(this.deadline, deadlineAt);
    }
    if (this.needsPings) ports.silence.add(this, openedAt);
  }

  /** Ended from the start where the caller sends none. */
  get input(): Inbound {
    return (this.inputHalf ??= endedInbound(this.inCapacity, this.sender));
  }

  /** As `IncomingRequest.hold`. */
  hold(bytes: number): GridError | undefined {
    const refusal = this.ports.held.grow(bytes);
    if (!refusal) this.openingBytes += bytes;
    return refusal;
  }

  /** The peer's account of what waits for its credits: who answers keeps that there. */
  get unsent(): HeldBytes {
    return this.ports.unsent;
  }

  /** For statistics. */
  get flow(): StreamFlow {
    const { inputHalf, output, observer } = this;
    return {
      observer,
      credits: output.credits,
      starved: output.starved,
      unread: inputHalf?.available ?? 0,
    };
  }

  /** @internal */
  deadlinePassed(): void {
    this.endByProtocol(framelessError('DEADLINE_EXCEEDED', TEXT.deadline));
  }

  /** @internal */
  look(): StreamLook {
    const { handler, input: inbound, output: outbound, sender } = this;
    return { direction: 'incoming', handler, inbound, outbound, moves: sender.count };
  }

  /** Set when the call was aborted. */
  get aborted(): GridError | undefined {
    return this.abortedBy;
  }

  /**
   * Tells the caller that the stream is accepted, and opens the output.
   * @internal
   */
  acknowledge(): void {
    const { dialect, capacities } = this.ports;
    const tells = dialect.extensions.has('capacity');
    this.sender.acknowledge(tells ? capacities.bodyOf(this.callee, this.inCapacity) : undefined);
    this.output.open(outCapacityOf(this.callee));
  }

  /**
   * The opening message had this number, and not 0 (spec §6): its handler is not started.
   * @internal
   */
  refuse(seq: number): void {
    this.endByProtocol(misnumbered(0, seq));
    this.output.end();
  }

  /** @internal */
  takes(): boolean {
    return true;
  }

  /** @internal */
  receive(message: Message): void {
    switch (message.op) {
      case Op.MuxClientMsg:
        if (this.inOrder(message)) this.handleInput(message);
        return;
      case Op.UnblockSrvMux:
        if (this.inOrder(message)) this.output.grant();
        return;
      case Op.Ping:
        if (this.inOrder(message)) this.handlePing(message);
        return;
      case Op.DisconnectServerMux:
        this.abort(framelessError('CANCELLED', TEXT.cancelled, { remote: true }));
        return;
      default:
        this.ports.observer.dropped('odd-op');
    }
  }

  /** @internal */
  drop(error: GridError): void {
    this.abort(error);
  }

  /**
   * The caller has not pinged in time (spec §8).
   * @internal
   */
  silent(): void {
    this.endByProtocol(framelessError('UNAVAILABLE', TEXT.disconnected, { reason: 'disconnected' }));
  }

  /** @internal */
  endWasSent(error: GridError | undefined): void {
    // what the details of an error are made of may have ended the connection meanwhile
    if (this.onWire === 'over') return;
    this.leaveWire(error);
    this.inputHalf?.finish(error ? { error } : new HandlerEnded());
  }

  /** @internal */
  payloadWasRefused(error: GridError): void {
    this.output.finish(error);
  }

  /** @internal */
  handlerHasEnded(): void {
    if (this.handlerEnded) return;
    this.handlerEnded = true;
    this.ports.handlerEnded('stream');
    if (this.onWire === 'over') this.countGone();
  }

  private handleInput({ flags, payload }: Message): void {
    const { input } = this;
    if (input.end) {
      this.endByProtocol(new GridError('FAILED_PRECONDITION', TEXT.noInput, { reason: 'protocol' }));
      return;
    }
    const last = (flags & Flag.Eof) !== 0;
    // only an end has one, but no text of an error is a message
    if (flags & Flag.PayloadIsErr) return input.finish({ error: failureOfText(decodeErrorText(payload)) });
    // an item may be empty; an end may come without one
    const item = payload ?? (last ? undefined : EMPTY);
    if (item) this.observer.received(item.length);
    // the last one asks for no credit, but for a handler that takes input
    const refusal = item && (last && this.inCapacity > 0 ? input.append(item) : input.push(item));
    if (refusal) this.endByProtocol(refusal);
    else if (last) input.finish(CLEAN_END);
  }

  /** False where the deadline ends the stream before silence would (spec §8). */
  private get needsPings(): boolean {
    return this.deadlineAt === undefined || this.deadlineAt - this.openedAt > this.ports.intervals.streamSilenceMs;
  }

  private handlePing(message: Message): void {
    if (this.needsPings) this.ports.silence.add(this);
    this.ports.emitter.pong(message, false);
  }

  private inOrder(message: Message): boolean {
    const want = this.received.mismatch(message.seq);
    if (want === undefined) return true;
    this.endByProtocol(misnumbered(want, message.seq));
    return false;
  }

  /** Ends the call with an error that waits for no credit (spec §6), and aborts the handler. */
  private endByProtocol(error: GridError): void {
    if (this.onWire === 'over') return;
    this.sender.sendEnd(error, undefined);
    this.abort(error);
  }

  private abort(error: GridError): void {
    if (this.onWire === 'over') return;
    this.abortedBy = error;
    this.leaveWire(error);
    this.output.close(error);
    this.inputHalf?.finish({ error });
    this.onAbort?.(error);
  }

  private leaveWire(error: GridError | undefined): void {
    this.onWire = 'over';
    if (this.deadline) this.ports.deadlines.remove(this.deadline);
    this.ports.silence.remove(this);
    this.blockWatch?.stop();
    this.ports.release(this.muxId, this);
    if (this.handlerEnded) this.countGone();
    this.observer.ended(error?.code, this.ports.clock.now() - this.openedAt);
  }

  private countGone(): void {
    if (this.openingBytes > 0) this.ports.held.free(this.openingBytes);
    this.inputHalf?.unaccount();
    this.ports.streamGone();
  }
}

function misnumbered(want: number, got: number): GridError {
  return new GridError('DATA_LOSS', sequenceMismatch(want, got), { reason: 'protocol' });
}
