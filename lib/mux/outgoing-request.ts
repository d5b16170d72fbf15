import { GridError, TEXT } from '../errors/index.js';
import type { Timer } from '../time/index.js';
import {
  decodeErrorText,
  decodeMuxConnectError,
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
export class OutgoingRequest implements OutgoingCall {
  private readonly openedAt: number;
  private readonly position: number;
  private readonly timer: Timer;
  private readonly many: boolean;
  private over = false;

  /** @internal */
  constructor(
    private readonly ports: OutgoingPorts,
    private readonly muxId: MuxId,
    private readonly init: CallInit,
    metadata: Metadata | undefined,
    private readonly listener: RequestListener,
  ) {
    this.many = listener.onStream !== undefined && ports.dialect.extensions.has('upgrade');
    this.openedAt = ports.clock.now();
    const timeoutMs = init.timeoutMs ?? ports.intervals.requestTimeoutMs;
    this.timer = ports.clock.setTimer(timeoutMs, () => this.cancel(new GridError('DEADLINE_EXCEEDED', TEXT.deadline)));
    ports.observer.callOpened('outgoing', 'request', init.handler);
    if (init.payload) ports.observer.payloadSent('outgoing', 'request', init.handler, init.payload.length);
    this.position = ports.emitter.open(Op.Request, muxId, {
      // a stream that comes as the answer has a deadline only if the caller gave one (spec §11, `upgrade`)
      deadlineMs: this.many && init.timeoutMs === undefined ? 0 : wireDeadline(timeoutMs),
      handler: init.handler,
      flags: Flag.Eof | (this.many ? Flag.Many : 0),
      // an empty request arrives as "none" (spec §5)
      payload: init.payload,
      subroute: init.subroute,
      metadata,
    });
  }

  /** Ends the request now with this error, which its listener gets. Does nothing once it is over. */
  cancel(error: GridError): void {
    if (this.over) return;
    if (this.ports.emitter.outbox.withdraw(this.position)) {
      this.fail(error.with({ notSent: true }));
      return;
    }
    if (this.ports.dialect.extensions.has('cancel')) {
      this.ports.emitter.send(Op.DisconnectServerMux, this.muxId, 0, 0, undefined);
    }
    this.fail(error);
  }

  /** @internal */
  receive(message: Message): void {
    switch (message.op) {
      case Op.Response:
        this.handleResponse(message);
        return;
      case Op.MuxConnectError:
        this.fail(refusalOf(decodeMuxConnectError(message.payload), message.metadata));
        return;
      case Op.AckMux:
        if (this.many) this.upgrade(message);
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

  private handleResponse(message: Message): void {
    const oversize = oversizeMetadata(message);
    const own = oversize ? undefined : ownMetadata(message.metadata);
    if (oversize) this.settle(oversize, undefined, undefined);
    else if (message.flags & Flag.PayloadIsErr) {
      this.settle(failureOf(decodeErrorText(message.payload), message.metadata), undefined, own);
    } else {
      const { observer } = this.ports;
      if (message.payload) observer.payloadReceived('outgoing', 'request', this.init.handler, message.payload.length);
      this.settle(undefined, message.payload, own);
    }
  }

  private upgrade(ack: Message): void {
    this.over = true;
    this.timer.cancel();
    this.ports.observer.callEnded('outgoing', 'request', this.init.handler, undefined, this.age());
    const timeoutMs = this.init.timeoutMs === undefined ? undefined : Math.max(0, this.init.timeoutMs - this.age());
    const stream = CallerStream.upgraded(this.ports, this.muxId, this.init.handler, timeoutMs, this.position);
    this.ports.replace(this.muxId, stream);
    this.listener.onStream?.(stream);
    stream.receive(ack);
  }

  private fail(error: GridError): void {
    this.settle(error, undefined, undefined);
  }

  private settle(error: GridError | undefined, payload: Uint8Array | undefined, metadata: Metadata | undefined): void {
    if (this.over) return;
    this.over = true;
    this.timer.cancel();
    this.ports.release(this.muxId);
    this.ports.observer.callEnded('outgoing', 'request', this.init.handler, error?.code, this.age());
    if (error) this.listener.onError(error, metadata);
    else this.listener.onResponse(payload, metadata);
  }

  private age(): number {
    return this.ports.clock.now() - this.openedAt;
  }
}
