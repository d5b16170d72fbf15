import { GridError, TEXT } from '../errors/index.js';
import { Flag, Op, type MuxId } from '../wire/index.js';
import type { OutgoingPorts } from './call-ports.js';
import type { InboundPorts } from './inbound.js';
import type { Outbox } from './outbox.js';
import type { OutboundPorts } from './outbound.js';
import { Sequence } from './sequence.js';

/** What the sending of a stream tells the stream itself. */
export interface CallerSenderOwner {
  readonly handler: number;
  /** A payload may not be sent: the stream ends with this. */
  cancel(error: GridError): void;
}

/** What the caller sends of one stream, numbered in order: the ports of both its directions in one object. */
export class CallerSender implements InboundPorts, OutboundPorts {
  private readonly sequence = new Sequence();

  constructor(
    private readonly ports: OutgoingPorts,
    private readonly muxId: MuxId,
    private readonly owner: CallerSenderOwner,
  ) {}

  /** Messages so far. */
  get count(): number {
    return this.sequence.count;
  }

  get unreadBytes(): number {
    return this.ports.limits.unreadBytes;
  }

  get outbox(): Outbox {
    return this.ports.emitter.outbox;
  }

  get endCostsCredit(): boolean {
    return false;
  }

  /** Counts the opening message, which goes out in a way of its own. */
  opened(): void {
    this.sequence.take();
  }

  ping(): void {
    this.ports.emitter.send(Op.Ping, this.muxId, this.sequence.take(), 0, undefined);
  }

  grant(): void {
    this.ports.emitter.send(Op.UnblockSrvMux, this.muxId, this.sequence.take(), 0, undefined);
  }

  emit(payload: Uint8Array): void {
    this.ports.observer.payloadSent('outgoing', 'stream', this.owner.handler, payload.length);
    this.ports.emitter.send(Op.MuxClientMsg, this.muxId, this.sequence.take(), 0, payload);
  }

  emitEnd(): void {
    this.ports.emitter.send(Op.MuxClientMsg, this.muxId, this.sequence.take(), Flag.Eof, undefined);
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
}
