import {
  CONNECTION_MUX_ID,
  decodePing,
  encodeErrorText,
  encodePing,
  encodePong,
  Op,
  type Message,
  type WireTime,
} from '../wire/index.js';
import type { WriteQueue } from './write-queue.js';

/** The most bytes of a drain's reason (wire spec §11). */
export const DRAIN_REASON_BYTES = 1024;

/** What a connection sends of its own: pings, pongs, that it drains. */
export class OwnMessages {
  /** Pings overtake what was sent behind this, where that waits for the socket. */
  private pingAfter = 0;

  constructor(
    private readonly queue: WriteQueue,
    private readonly baseFlags: number,
    private readonly pingMs: number,
  ) {}

  /** Tells the peer that this end takes no new calls. */
  drain(reason: string): void {
    this.send(Op.Disconnect, 0, 0, this.baseFlags, encodeErrorText(reason, DRAIN_REASON_BYTES));
  }

  /** From now on pings stand behind all that was sent so far. */
  orderPings(): void {
    this.pingAfter = this.queue.position;
  }

  /** True: it stands behind all that was sent. */
  ping(time: WireTime): boolean {
    const last = this.queue.position;
    return this.send(Op.Ping, 0, this.pingMs, 0, encodePing({ time }), this.pingAfter) >= last;
  }

  /** `after`: as for `Outbox.send`. */
  pong({ seq, deadlineMs, payload }: Message, after: number): void {
    const pong = encodePong({ notFound: false, time: decodePing(payload).time });
    this.send(Op.Pong, seq, deadlineMs, this.baseFlags, pong, after);
  }

  private send(
    op: Op,
    seq: number,
    deadlineMs: number,
    flags: number,
    payload: Uint8Array,
    after?: number,
  ): number {
    return this.queue.send({ muxId: CONNECTION_MUX_ID, seq, deadlineMs, handler: 0, op, flags, payload }, after);
  }
}
