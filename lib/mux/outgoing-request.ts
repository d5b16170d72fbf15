import { framelessError, TEXT, type GridError } from '../errors/index.js';
import type { CallObserver } from '../observe/index.js';
import type { Deadline } from '../time/index.js';
import {
  decodeErrorText,
  Flag,
  Op,
  type Message,
  type Metadata,
  type MuxId,
} from '../wire/index.js';
import { wireDeadline, type CallInit } from './call-init.js';
import type { OutgoingCall, OutgoingPorts } from './call-ports.js';
import { CallerStream } from './caller-stream.js';
import { failureOf, ownMetadata, refusalOf } from './error-metadata.js';
import { oversizeMetadata } from './metadata-cap.js';

/** Exactly one of these is called, exactly once, and never before `openRequest` has returned. */
export interface RequestListener {
  onResponse(payload: Uint8Array | undefined, metadata: Metadata | undefined): void;
  onError(error: GridError, metadata: Metadata | undefined): void;
  /** Given: a stream is taken as the answer too, where both ends have the extension `upgrade`. */
  onStream?(stream: CallerStream): void;
}

/** A single request of ours that waits for its answer. */
export class OutgoingRequest implements OutgoingCall, Deadline {
  /** @internal The deadline wheel's, like the three after it. */
  dueAt = 0;
  /** @internal */
  slot = -1;
  /** @internal */
  before: Deadline | undefined = undefined;
  /** @internal */
  after: Deadline | undefined = undefined;

  /** @internal */
  readonly openedAt: number;
  private readonly position: number;
  private readonly observer: CallObserver;
  private readonly many: boolean;
  private readonly handler: number;
  private readonly pattern: string | undefined;
  private readonly timeoutMs: number | undefined;
  private over = false;

  /** @internal */
  constructor(
    private readonly ports: OutgoingPorts,
    private readonly muxId: MuxId,
    init: CallInit,
    metadata: Metadata | undefined,
    private readonly listener: RequestListener,
  ) {
    this.handler = init.handler;
    this.pattern = init.pattern;
    this.timeoutMs = init.timeoutMs;
    this.many = listener.onStream !== undefined && ports.upgrades;
    this.openedAt = ports.clock.now();
    const timeoutMs = init.timeoutMs ?? ports.intervals.requestTimeoutMs;
    this.observer = ports.observer.callsOf('outgoing', 'request', init.handler, init.pattern);
    this.observer.opened();
    if (init.payload) this.observer.sent(init.payload.length);
    // a stream that comes as the answer has a deadline only if the caller gave one (spec §11, `upgrade`)
    const deadlineMs = this.many && init.timeoutMs === undefined ? 0 : wireDeadline(timeoutMs);
    const flags = Flag.Eof | (this.many ? Flag.Many : 0);
    this.position = ports.emitter.open(Op.Request, muxId, init, deadlineMs, flags, metadata);
    // what may set a timer comes last: the peer is at work meanwhile
    ports.deadlines.add(this, this.openedAt + timeoutMs);
  }

  /** @internal */
  onDue(): void {
    this.cancel(framelessError('DEADLINE_EXCEEDED', TEXT.deadline));
  }

  /** @internal */
  get deadlineAt(): number {
    return this.openedAt + (this.timeoutMs ?? this.ports.intervals.requestTimeoutMs);
  }

  /** Ends the request now with this error, which its listener gets. Does nothing once it is over. */
  cancel(error: GridError): void {
    if (this.over) return;
    if (this.ports.emitter.outbox.withdraw(this.position)) {
      this.fail(error.with({ notSent: true }));
      return;
    }
    if (this.ports.dialect.extensions.has('cancel')) this.ports.cancels.cancel(this.muxId, this);
    this.fail(error);
  }

  /** @internal */
  receive(message: Message, cameAt: number): void {
    switch (message.op) {
      case Op.Response:
        this.handleResponse(message, cameAt);
        return;
      case Op.MuxConnectError:
        this.fail(refusalOf(message));
        return;
      case Op.AckMux:
        if (this.many) this.upgrade(message, cameAt);
        else this.ports.emitter.send(Op.DisconnectServerMux, this.muxId, 0, 0, undefined);
        return;
      default:
        // DisconnectClientMux for a request is ignored (spec §6), the others have no meaning before an answer
        this.ports.observer.dropped('odd-op');
    }
  }

  /** @internal */
  drop(error: GridError): void {
    this.fail(error.with({ notSent: !this.ports.emitter.outbox.isHanded(this.position) }));
  }

  private handleResponse(message: Message, cameAt: number): void {
    const oversize = oversizeMetadata(message);
    const own = oversize ? undefined : ownMetadata(message.metadata);
    if (oversize) this.settle(oversize, undefined, undefined, cameAt);
    else if (message.flags & Flag.PayloadIsErr) {
      this.settle(failureOf(decodeErrorText(message.payload), message.metadata), undefined, own, cameAt);
    } else {
      if (message.payload) this.observer.received(message.payload.length);
      this.settle(undefined, message.payload, own, cameAt);
    }
  }

  private upgrade(ack: Message, cameAt: number): void {
    this.over = true;
    this.ports.deadlines.remove(this);
    this.observer.ended(undefined, cameAt - this.openedAt);
    const left = this.timeoutMs === undefined ? undefined : Math.max(0, this.openedAt + this.timeoutMs - cameAt);
    const { ports, muxId, handler, pattern, position } = this;
    const stream = CallerStream.upgraded(ports, muxId, handler, pattern, left, position, cameAt);
    this.ports.replace(this.muxId, stream);
    this.listener.onStream?.(stream);
    stream.receive(ack, cameAt);
  }

  private fail(error: GridError): void {
    this.settle(error, undefined, undefined, this.ports.clock.now());
  }

  private settle(
    error: GridError | undefined,
    payload: Uint8Array | undefined,
    metadata: Metadata | undefined,
    now: number,
  ): void {
    if (this.over) return;
    this.over = true;
    this.ports.deadlines.remove(this);
    this.ports.release(this.muxId);
    this.observer.ended(error?.code, now - this.openedAt);
    if (error) this.listener.onError(error, metadata);
    else this.listener.onResponse(payload, metadata);
  }
}
