import { GridError, TEXT } from '../errors/index.js';
import type { CallObserver } from '../observe/index.js';
import type { Rota } from '../time/index.js';
import { Flag, Op, type MuxId } from '../wire/index.js';
import type { OutgoingPorts } from './call-ports.js';
import type { HeldBytes } from './held-bytes.js';
import type { Inbound, InboundPorts } from './inbound.js';
import type { Outbox } from './outbox.js';
import type { OutboundPorts } from './outbound.js';
import { Sequence } from './sequence.js';

/** What the sending of a stream tells the stream itself. */
export interface CallerSenderOwner {
  /** @internal */
  readonly observer: CallObserver;
  /** A payload may not be sent: the stream ends with this. */
  cancel(error: GridError): void;
}

/** What the caller sends of one stream, numbered in order: the ports of both its directions in one object. */
export class CallerSender implements InboundPorts, OutboundPorts {
  private readonly sequence = new Sequence();
  /** Of the last numbered message, in the outbox: none overtakes another. */
  private position = 0;

  constructor(
    private readonly ports: OutgoingPorts,
    private readonly muxId: MuxId,
    private readonly owner: CallerSenderOwner,
  ) {}

  /** Of the last numbered message, in the outbox. */
  get lastPosition(): number {
    return this.position;
  }

  /** Messages so far. */
  get count(): number {
    return this.sequence.count;
  }

  get unreadBytes(): number {
    return this.ports.limits.unreadBytes;
  }

  get held(): HeldBytes {
    return this.ports.unread;
  }

  get owing(): Rota<Inbound> {
    return this.ports.owing;
  }

  get outbox(): Outbox {
    return this.ports.emitter.outbox;
  }

  get endCostsCredit(): boolean {
    return false;
  }

  /** Counts the opening message, which goes out in a way of its own, and has that position in the outbox. */
  opened(position: number): void {
    this.sequence.take();
    this.position = position;
  }

  ping(): void {
    this.sendUrgent(Op.Ping);
  }

  grant(): void {
    this.sendUrgent(Op.UnblockSrvMux);
  }

  emit(payload: Uint8Array): void {
    this.owner.observer.sent(payload.length);
    this.send(0, payload);
  }

  emitEnd(): void {
    this.send(Flag.Eof, undefined);
  }

  overrun(): GridError {
    return new GridError('RESOURCE_EXHAUSTED', TEXT.responseBlocked, { reason: 'limit' });
  }

  refuse(payload: Uint8Array): GridError | undefined {
    return this.ports.payloadCap.check(payload);
  }

  onRefused(error: GridError): void {
    this.owner.cancel(error);
  }

  onExcess(): void {
    this.ports.observer.dropped('excess-credit');
  }

  private send(flags: number, payload: Uint8Array | undefined): void {
    this.position = this.ports.emitter.send(Op.MuxClientMsg, this.muxId, this.sequence.take(), flags, payload);
  }

  private sendUrgent(op: Op): void {
    this.position = this.ports.emitter.sendUrgent(op, this.muxId, this.sequence.take(), this.position);
  }
}
