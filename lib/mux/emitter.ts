import type { GridError } from '../errors/index.js';
import {
  decodeErrorText,
  decodePing,
  encodeErrorText,
  encodeMuxConnectError,
  encodePong,
  Flag,
  Op,
  type Dialect,
  type Message,
  type Metadata,
  type MuxId,
} from '../wire/index.js';
import type { CallInit } from './call-init.js';
import { errorMetadata } from './error-metadata.js';
import type { Outbox } from './outbox.js';

/** What a call is opened with, on the wire. */
export interface Opening {
  readonly deadlineMs: number;
  readonly handler: number;
  readonly flags: number;
  readonly payload: Uint8Array | undefined;
  readonly subroute: Uint8Array | undefined;
  readonly metadata: Metadata | undefined;
}

/** Makes the messages of one mux: the base flags on each, everything else built from scratch (B24). */
export class Emitter {
  private readonly baseFlags: number;
  private readonly carriesMetadata: boolean;
  private readonly carriesErrors: boolean;

  constructor(
    readonly outbox: Outbox,
    dialect: Dialect,
    private readonly errorTextBytes: number,
  ) {
    this.baseFlags = dialect.baseFlags;
    this.carriesMetadata = dialect.extensions.has('meta');
    this.carriesErrors = dialect.extensions.has('error');
  }

  /** A message of a running call. An empty payload is told from none by its flag. */
  send(op: Op, muxId: MuxId, seq: number, flags: number, payload: Uint8Array | undefined): number {
    return this.outbox.send({
      muxId,
      seq,
      deadlineMs: 0,
      handler: 0,
      op,
      flags: this.baseFlags | flags | (payload?.length === 0 ? Flag.PayloadIsZero : 0),
      payload,
    });
  }

  /**
   * A credit or a ping of a running stream: it may overtake other calls, but no numbered message of its own.
   * @param after Position of the last one of those; the new one is given.
   */
  sendUrgent(op: Op, muxId: MuxId, seq: number, after: number): number {
    const flags = this.baseFlags;
    return this.outbox.send({ muxId, seq, deadlineMs: 0, handler: 0, op, flags, payload: undefined }, after);
  }

  /**
   * The last message of a call at its handler side: the only one of a running call that carries metadata, which is left
   * out where the peer knows none.
   */
  sendLast(op: Op, muxId: MuxId, seq: number, payload: Uint8Array | undefined, metadata: Metadata | undefined): void {
    if (metadata === undefined || !this.carriesMetadata) {
      this.send(op, muxId, seq, Flag.Eof, payload);
      return;
    }
    this.outbox.send({
      muxId,
      seq,
      deadlineMs: 0,
      handler: 0,
      op,
      flags: this.baseFlags | Flag.Eof | Flag.Metadata | (payload?.length === 0 ? Flag.PayloadIsZero : 0),
      payload,
      metadata,
    });
  }

  /** The first message of a request of ours: seq 0. An empty one arrives as "none" (wire spec §5). */
  request(muxId: MuxId, init: CallInit, deadlineMs: number, flags: number, metadata: Metadata | undefined): number {
    return this.outbox.send({
      muxId,
      seq: 0,
      deadlineMs,
      handler: init.handler,
      op: Op.Request,
      flags: this.baseFlags | flags | (init.subroute ? Flag.Subroute : 0) | (metadata ? Flag.Metadata : 0),
      payload: init.payload,
      subroute: init.subroute,
      metadata,
    });
  }

  /** The first message of a stream of ours: seq 0. */
  open(op: Op, muxId: MuxId, opening: Opening): number {
    return this.outbox.send({
      muxId,
      seq: 0,
      deadlineMs: opening.deadlineMs,
      handler: opening.handler,
      op,
      flags:
        this.baseFlags |
        opening.flags |
        (opening.subroute ? Flag.Subroute : 0) |
        (opening.metadata ? Flag.Metadata : 0),
      payload: opening.payload,
      subroute: opening.subroute,
      metadata: opening.metadata,
    });
  }

  /** The last message of a call at its handler side, as an error: its text, and more where the peer can read it. */
  sendError(op: Op, muxId: MuxId, seq: number, error: GridError, own: Metadata | undefined): void {
    const metadata = this.errorMetadata(error, own);
    this.outbox.send({
      muxId,
      seq,
      deadlineMs: 0,
      handler: 0,
      op,
      flags: this.baseFlags | Flag.Eof | Flag.PayloadIsErr | (metadata ? Flag.Metadata : 0),
      payload: encodeErrorText(error.message, this.errorTextBytes),
      metadata,
    });
  }

  /** The handler of this opening message never runs. Echoes muxId, seq, deadlineMs, handler and EOF (spec §5). */
  refuse(refused: Message, error: GridError): void {
    const metadata = this.errorMetadata(error, undefined);
    this.outbox.send({
      muxId: refused.muxId,
      seq: refused.seq,
      deadlineMs: refused.deadlineMs,
      handler: refused.handler,
      op: Op.MuxConnectError,
      flags: this.baseFlags | (refused.flags & Flag.Eof) | (metadata ? Flag.Metadata : 0),
      payload: encodeMuxConnectError(decodeErrorText(encodeErrorText(error.message, this.errorTextBytes))),
      metadata,
    });
  }

  /**
   * The answer to a ping of a call: muxId, seq, deadlineMs and time are the ping's (spec §8). That the call is not found
   * comes after its end, which may still wait.
   */
  pong(ping: Message, notFound: boolean): void {
    const message = {
      muxId: ping.muxId,
      seq: ping.seq,
      deadlineMs: ping.deadlineMs,
      handler: 0,
      op: Op.Pong,
      flags: this.baseFlags,
      payload: encodePong({ notFound, time: decodePing(ping.payload).time }),
    };
    this.outbox.send(message, notFound ? undefined : 0);
  }

  private errorMetadata(error: GridError, own: Metadata | undefined): Metadata | undefined {
    if (this.carriesErrors) return errorMetadata(error, own);
    return this.carriesMetadata ? own : undefined;
  }
}
