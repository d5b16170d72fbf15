import { GridError, TEXT } from '../errors/index.js';
import type { CallObserver } from '../observe/index.js';
import type { Rota } from '../time/index.js';
import { Op, type Metadata, type MuxId } from '../wire/index.js';
import type { IncomingPorts } from './call-ports.js';
import type { HeldBytes } from './held-bytes.js';
import type { Inbound, InboundPorts } from './inbound.js';
import type { Outbox } from './outbox.js';
import { overflow } from './overflow.js';
import type { OutboundPorts } from './outbound.js';
import { Sequence } from './sequence.js';

/** What the sending of a stream tells the stream itself. */
export interface SenderOwner {
  /** @internal */
  readonly observer: CallObserver;
  /** Messages to the handler that may be unacknowledged. @internal */
  readonly inCapacity: number;
  /** The handler has said its last word, maybe after the stream was over. @internal */
  handlerHasEnded(): void;
  /** The end was sent. @internal */
  endWasSent(error: GridError | undefined): void;
  /** A payload may not be sent: the stream has to end with this. @internal */
  payloadWasRefused(error: GridError): void;
}

/**
 * What the handler side sends of one stream, numbered in order: the ports of both its directions in one object, for a
 * peer may keep many streams open, and each function of their own would cost each of them 64 bytes.
 */
export class StreamSender implements InboundPorts, OutboundPorts {
  private readonly sequence = new Sequence();
  /** Of the last numbered message, in the outbox: none overtakes another. */
  private position = 0;

  constructor(
    private readonly ports: IncomingPorts,
    private readonly muxId: MuxId,
    private readonly owner: SenderOwner,
  ) {}

  /** Messages so far. */
  get count(): number {
    return this.sequence.count;
  }

  get unreadBytes(): number {
    return this.ports.limits.unreadBytes;
  }

  get held(): HeldBytes {
    return this.ports.held;
  }

  get owing(): Rota<Inbound> {
    return this.ports.owing;
  }

  get outbox(): Outbox {
    return this.ports.emitter.outbox;
  }

  get endCostsCredit(): boolean {
    return true;
  }

  /** The first message: the stream is accepted. */
  acknowledge(capacity: Uint8Array | undefined): void {
    this.send(Op.AckMux, capacity);
  }

  grant(): void {
    const { emitter } = this.ports;
    this.position = emitter.sendUrgent(Op.UnblockClMux, this.muxId, this.sequence.take(), this.position);
  }

  emit(payload: Uint8Array): void {
    this.owner.observer.sent(payload.length);
    this.send(Op.MuxServerMsg, payload);
  }

  emitEnd(error: GridError | undefined, metadata: Metadata | undefined): void {
    this.owner.endWasSent(this.sendEnd(error, metadata));
  }

  /** The end message, and the goodbye that always follows it (spec §6, H13). Gives the error that it says. */
  sendEnd(error: GridError | undefined, metadata: Metadata | undefined): GridError | undefined {
    const { emitter } = this.ports;
    const failure = error ?? overflow(emitter.outbox, 0, metadata);
    if (failure) {
      // before its number is taken: what the error's details are made of may send something
      const answer = emitter.errorAnswer(failure, metadata);
      emitter.sendError(Op.MuxServerMsg, this.muxId, this.sequence.take(), answer);
    } else {
      emitter.sendLast(Op.MuxServerMsg, this.muxId, this.sequence.take(), undefined, metadata);
    }
    emitter.send(Op.DisconnectClientMux, this.muxId, 0, 0, undefined);
    return failure;
  }

  overrun(): GridError {
    const text = this.owner.inCapacity === 0 ? TEXT.noInput : TEXT.handlerBlocked;
    return new GridError('FAILED_PRECONDITION', text, { reason: 'protocol' });
  }

  refuse(payload: Uint8Array): GridError | undefined {
    return this.ports.payloadCap.check(payload);
  }

  onRefused(error: GridError): void {
    this.owner.payloadWasRefused(error);
  }

  onExcess(): void {
    this.ports.observer.dropped('excess-credit');
  }

  onFinished(): void {
    this.owner.handlerHasEnded();
  }

  private send(op: Op, payload: Uint8Array | undefined): void {
    this.position = this.ports.emitter.send(op, this.muxId, this.sequence.take(), 0, payload);
  }
}
