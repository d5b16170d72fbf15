import { framelessError, type GridError } from '../errors/index.js';
import {
  decodeErrorText,
  decodePing,
  encodeErrorText,
  encodeMuxConnectError,
  encodePong,
  Flag,
  METADATA_BYTES,
  Op,
  type Dialect,
  type Message,
  type Metadata,
  type MuxId,
} from '../wire/index.js';
import type { CallInit } from './call-init.js';
import { errorMetadata } from './error-metadata.js';
import type { Outbox } from './outbox.js';

/** Of an error's text, where much waits. */
const SHORT_TEXT_BYTES = 128;

/** An error in the words of the wire. */
export interface ErrorAnswer {
  readonly text: Uint8Array;
  readonly metadata: Metadata | undefined;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Makes the messages of one mux: the base flags on each, everything else built from scratch (B24). */
export class Emitter {
  private readonly baseFlags: number;
  private readonly carriesMetadata: boolean;
  private readonly carriesErrors: boolean;
  /** Used again for each message: a tenth of what a call costs was one object per message. */
  private readonly message: Writable<Message> = {
    muxId: 0,
    seq: 0,
    deadlineMs: 0,
    handler: 0,
    op: Op.Request,
    flags: 0,
    payload: undefined,
    subroute: undefined,
    metadata: undefined,
  };

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
    return this.emit(op, muxId, seq, 0, 0, flags | zeroFlag(payload), payload, undefined, undefined, undefined);
  }

  /**
   * A credit or a ping of a running stream: it may overtake other calls, but no numbered message of its own.
   * @param after Position of the last one of those; the new one is given.
   */
  sendUrgent(op: Op, muxId: MuxId, seq: number, after: number): number {
    return this.emit(op, muxId, seq, 0, 0, 0, undefined, undefined, undefined, after);
  }

  /**
   * The last message of a call at its handler side: the only one of a running call that carries metadata, which is left
   * out where the peer knows none.
   */
  sendLast(op: Op, muxId: MuxId, seq: number, payload: Uint8Array | undefined, own: Metadata | undefined): void {
    const metadata = this.carriesMetadata ? own : undefined;
    this.emit(op, muxId, seq, 0, 0, Flag.Eof | zeroFlag(payload), payload, undefined, metadata, undefined);
  }

  /** The first message of a call of ours: seq 0. An empty payload of a request arrives as "none" (wire spec §5). */
  open(
    op: Op,
    muxId: MuxId,
    { handler, payload, subroute }: CallInit,
    deadlineMs: number,
    flags: number,
    metadata: Metadata | undefined,
  ): number {
    return this.emit(op, muxId, 0, deadlineMs, handler, flags, payload, subroute, metadata, undefined);
  }

  /**
   * An error as it goes to the caller: its text, and more where the peer can read it. Code of the application may run
   * here: that of `details`. Where much waits already it is the code and the start of the text, for an error has to go:
   * all calls may fail at once, and with 8 KiB each their answers would end the connection.
   */
  errorAnswer(error: GridError, own: Metadata | undefined): ErrorAnswer {
    if (this.outbox.hasRoom(METADATA_BYTES + this.errorTextBytes)) {
      const text = encodeErrorText(error.message, this.errorTextBytes);
      return { text, metadata: this.errorMetadata(error, own) };
    }
    const text = encodeErrorText(error.message, Math.min(SHORT_TEXT_BYTES, this.errorTextBytes));
    const short = framelessError(error.code, decodeErrorText(text));
    return { text, metadata: this.errorMetadata(short, undefined) };
  }

  /** The last message of a call at its handler side, as an error. */
  sendError(op: Op, muxId: MuxId, seq: number, { text, metadata }: ErrorAnswer): void {
    this.emit(op, muxId, seq, 0, 0, Flag.Eof | Flag.PayloadIsErr, text, undefined, metadata, undefined);
  }

  /** The handler of this opening message never runs. Echoes muxId, seq, deadlineMs, handler and EOF (spec §5). */
  refuse({ muxId, seq, deadlineMs, handler, flags }: Message, error: GridError): void {
    const text = encodeMuxConnectError(decodeErrorText(encodeErrorText(error.message, this.errorTextBytes)));
    const metadata = this.errorMetadata(error, undefined);
    const eof = flags & Flag.Eof;
    this.emit(Op.MuxConnectError, muxId, seq, deadlineMs, handler, eof, text, undefined, metadata, undefined);
  }

  /**
   * The answer to a ping of a call: muxId, seq, deadlineMs and time are the ping's (spec §8). That the call is not
   * found comes after its end, which may still wait.
   */
  pong({ muxId, seq, deadlineMs, payload }: Message, notFound: boolean): void {
    const body = encodePong({ notFound, time: decodePing(payload).time });
    this.emit(Op.Pong, muxId, seq, deadlineMs, 0, 0, body, undefined, undefined, notFound ? undefined : 0);
  }

  /** All messages go by here, in the one object that an outbox has read when it returns. */
  private emit(
    op: Op,
    muxId: MuxId,
    seq: number,
    deadlineMs: number,
    handler: number,
    flags: number,
    payload: Uint8Array | undefined,
    subroute: Uint8Array | undefined,
    metadata: Metadata | undefined,
    after: number | undefined,
  ): number {
    const { message } = this;
    message.muxId = muxId;
    message.seq = seq;
    message.deadlineMs = deadlineMs;
    message.handler = handler;
    message.op = op;
    message.flags = this.baseFlags | flags | (subroute ? Flag.Subroute : 0) | (metadata ? Flag.Metadata : 0);
    message.payload = payload;
    message.subroute = subroute;
    message.metadata = metadata;
    const position = this.outbox.send(message, after);
    // nothing large stays alive by it
    message.payload = undefined;
    message.metadata = undefined;
    return position;
  }

  private errorMetadata(error: GridError, own: Metadata | undefined): Metadata | undefined {
    if (this.carriesErrors) return errorMetadata(error, own);
    return this.carriesMetadata ? own : undefined;
  }
}

function zeroFlag(payload: Uint8Array | undefined): number {
  return payload?.length === 0 ? Flag.PayloadIsZero : 0;
}
