import { GridError, toGridError } from '../errors/index.js';
import { encodeApart, intoOf, PAYLOAD_SHARE, type Outbox, type PayloadEncoder } from '../mux/index.js';
import type { ConnectionObserver } from '../observe/index.js';
import type { Clock } from '../time/index.js';
import { CloseCode, maxEncodedSize, Op, type Message } from '../wire/index.js';
import { DrainWaiters } from './drain-waiters.js';
import { FlushPolicy } from './flush-policy.js';
import { Lane } from './lane.js';
import type { ConnectionIntervals, ConnectionLimits } from './limits.js';
import type { FrameSocket } from './message-socket.js';
import { FRAME_ROOM, OutgoingFrame } from './outgoing-frame.js';
import { StallWatch } from './stall-watch.js';

/** Bytes handed to the socket and not yet written, past which frames wait here: there they can still be withdrawn. */
const IN_FLIGHT_BYTES = 256 * 1024;

/**
 * Bytes of streams that wait, past which these add nothing. Whatever they add stands before each later call, whose time
 * it costs; up to `queuedBytes` it would leave no room for calls at all, as long as the streams go on. What calls have
 * waiting does not count: as long as those go on the streams would stand still.
 */
const CROWDED_BYTES = 1024 * 1024;

/**
 * Bytes of a payload from which on the next one, which is mostly as long, is written where it will be sent. A shorter
 * one is copied in less time than it takes to foretell where that is.
 */
const LEAST_DRAFT = 1024;

export interface WriteQueuePorts {
  readonly socket: FrameSocket;
  readonly clock: Clock;
  readonly observer: ConnectionObserver;
  readonly limits: ConnectionLimits;
  readonly intervals: ConnectionIntervals;
  /** Calls of this end that are open. */
  readonly calls: () => number;
  /** Milliseconds that the event loop has slept so far, 0: not known. */
  readonly sleptMs: () => number;
  /** Writing cannot go on. Called once, never from inside `send`. */
  readonly onFatal: (error: GridError, closeCode: number) => void;
}

/**
 * Turns messages into frames in the order in which they come. Where the event loop has time to spare, the first message
 * of its turn is written at once; those that follow in the same turn are merged into growing frames, the rest of them
 * when the frame is handled that led to them, or when the turn is over. While the socket has enough to write, frames
 * fill up and wait, and two kinds of messages do not keep their place. Urgent ones overtake the others: those that say
 * what they come after, when all of that was handed over. And large answers, which nothing comes after, let all others
 * go ahead of them for a while: one call that fetches much shall not stand in front of a hundred that fetch little.
 */
export class WriteQueue implements Outbox {
  private readonly bulk: Lane;
  /** These two are used only while frames wait for the socket. */
  private readonly urgent: Lane;
  /** Answers in frames of their own. No position is theirs: nobody takes an answer back. */
  private readonly large: Lane;
  /** Bytes that still go ahead of the next large answer: as many as the last large frame had. */
  private ahead = 0;
  /** Set from the first message of a turn until the turn is over. */
  private turn: NodeJS.Immediate | undefined = undefined;
  /** Position of the last message that did not overtake when the turn began. */
  private turnFrom = 0;
  private corked = false;
  /** Something waits for `uncork`. */
  private leaving = false;
  /** True while frames wait for the socket, not for the end of the turn. */
  private blocked = false;
  private pumping = false;
  private ended = false;

  /** Of the payload that was encoded last. */
  private payloadBytes = LEAST_DRAFT;
  private lastPosition = 0;
  private handedPosition = 0;
  private messages = 0;
  private bytes = 0;
  /** Of these, those of streams. */
  private streamBytes = 0;
  private inFlightBytes = 0;
  private readonly inFlightMax: number;

  /** Room at a socket that is on its way out is none. */
  private readonly waiters = new DrainWaiters(() => this.crowded || this.ports.socket.closing === true);
  private readonly policy: FlushPolicy;
  private readonly stallWatch: StallWatch;

  constructor(private readonly ports: WriteQueuePorts) {
    const { clock, intervals, limits } = ports;
    this.inFlightMax = ports.socket.oneAtATime ? 1 : IN_FLIGHT_BYTES;
    this.bulk = new Lane(limits.frameMessages);
    this.urgent = new Lane(limits.frameMessages);
    this.large = new Lane(limits.frameMessages);
    this.policy = new FlushPolicy(ports);
    this.stallWatch = new StallWatch({
      clock,
      timeoutMs: intervals.writeTimeoutMs,
      inFlight: () => this.inFlightBytes,
      taken: () => ports.socket.traffic?.().taken,
      onStall: () => {
        const text = `no write finished for ${intervals.writeTimeoutMs} ms with ${this.inFlightBytes} bytes in flight`;
        this.fail(new GridError('UNAVAILABLE', text, { reason: 'disconnected' }), CloseCode.Abnormal);
      },
    });
  }

  /** Messages taken and not yet written, without those withdrawn. */
  get queuedMessages(): number {
    return this.messages;
  }

  /** Their encoded bytes. */
  get queuedBytes(): number {
    return this.bytes;
  }

  /** Position of the message that was taken last, those that overtook left out. */
  get position(): number {
    return this.lastPosition;
  }

  get congested(): boolean {
    return this.bytes > this.ports.limits.queuedBytes;
  }

  get crowded(): boolean {
    return this.streamBytes > CROWDED_BYTES || this.congested;
  }

  hasRoom(bytes: number): boolean {
    return this.bytes + bytes <= (1 + PAYLOAD_SHARE) * this.ports.limits.queuedBytes;
  }

  send(message: Message, after?: number): number {
    const bound = maxEncodedSize(message);
    let lane = this.laneOf(message, bound, after);
    // a full frame need not wait for the end of the turn
    if (lane === this.bulk && lane.full(bound)) {
      // the socket may be the application's, and make a call: this message is one that is used again for that
      message = lane.undrafted(message);
      this.pump();
      lane = this.laneOf(message, bound, after);
    }
    const position = lane === this.bulk ? ++this.lastPosition : (after ?? this.lastPosition);
    if (this.ended) return position;
    const frame = this.add(lane, message, bound, position);
    if (this.bytes > 2 * this.ports.limits.queuedBytes) {
      const text = `${this.bytes} bytes wait to be written, limits.queuedBytes is ${this.ports.limits.queuedBytes}`;
      this.fail(new GridError('RESOURCE_EXHAUSTED', text, { reason: 'limit' }), CloseCode.Overloaded);
    } else if (this.turn === undefined) {
      // before the write: what a socket that delivers at once leads to belongs to this turn
      this.turn = setImmediate(() => this.endTurn());
      this.turnFrom = this.lastPosition;
      if (this.policy.beginTurn()) this.leave();
    } else if (this.policy.isBatch(frame.count)) {
      this.leave();
    }
    return position;
  }

  cork(): void {
    this.corked = true;
  }

  uncork(): void {
    this.corked = false;
    if (this.leaving) this.leave();
  }

  encode(value: unknown, codec: PayloadEncoder): Uint8Array {
    const into = this.ended || this.payloadBytes < LEAST_DRAFT ? undefined : intoOf(codec);
    const payload = (into && this.bulk.encode(value, into, this.payloadBytes)) ?? encodeApart(value, codec);
    // by a getter of the value
    if (this.ended) this.bulk.clear();
    this.payloadBytes = payload.length;
    return payload;
  }

  withdraw(position: number): boolean {
    if (this.isHanded(position)) return false;
    const bytes = this.bulk.find(position)?.withdraw(position) ?? 0;
    if (bytes > 0) this.account(-1, -bytes);
    return true;
  }

  isHanded(position: number): boolean {
    return position <= this.handedPosition;
  }

  onDrain(resume: () => void): () => void {
    return this.waiters.add(resume);
  }

  /**
   * What a received frame led to at once is complete: an answer of many messages need not wait for the end of the turn.
   * A few messages do: a peer that sends each in a frame of its own must not get as many.
   */
  frameHandled(): void {
    if (this.policy.isAnswer(this.lastPosition - this.handedPosition)) this.pump();
  }

  /** Hands over what waits for the end of the turn, behind a frame that is under way too: the end may follow. */
  flush(): void {
    this.pump(IN_FLIGHT_BYTES);
  }

  /** Drops everything that waits; nothing is written and nobody is called any more. */
  stop(): void {
    this.ended = true;
    if (this.turn) clearImmediate(this.turn);
    this.stallWatch.stop();
    this.waiters.clear();
    this.urgent.clear();
    this.large.clear();
    this.bulk.clear();
    this.blocked = false;
    this.messages = 0;
    this.bytes = 0;
    this.streamBytes = 0;
  }

  private laneOf({ op }: Message, bound: number, after: number | undefined): Lane {
    if (!this.blocked) return this.bulk;
    if (after !== undefined) return this.isHanded(after) ? this.urgent : this.bulk;
    return op === Op.Response && OutgoingFrame.alone(bound) ? this.large : this.bulk;
  }

  private add(lane: Lane, message: Message, bound: number, position: number): OutgoingFrame {
    const frame = lane.add(message, bound, position);
    if (message.op === Op.MuxServerMsg || message.op === Op.MuxClientMsg) {
      frame.streamBytes += frame.lastBytes;
      this.streamBytes += frame.lastBytes;
    }
    this.account(1, frame.lastBytes);
    return frame;
  }

  private endTurn(): void {
    this.turn = undefined;
    this.policy.endTurn(this.lastPosition - this.turnFrom);
    this.pump();
  }

  /** Hands over what waits, or does when what belongs to it has come. */
  private leave(): void {
    this.leaving = this.corked;
    if (!this.corked) this.pump();
  }

  /** Hands frames to the socket until it has enough. */
  private pump(inFlightMax = this.inFlightMax): void {
    // a socket may be done with a frame before `send` returns: the loop that gave it goes on
    if (this.pumping) return;
    this.pumping = true;
    try {
      this.blocked = this.handAll(inFlightMax);
    } finally {
      this.pumping = false;
    }
  }

  /** True: frames are left that wait for the socket. */
  private handAll(inFlightMax: number): boolean {
    // what is not handed over was certainly not sent: its calls may be made again
    while (this.inFlightBytes < inFlightMax && !this.ports.socket.closing) {
      const lane = this.nextLane();
      const frame = lane.shift();
      if (!frame) return false;
      this.hand(frame, lane);
    }
    return true;
  }

  private nextLane(): Lane {
    if (!this.urgent.empty) return this.urgent;
    if (this.large.empty) return this.bulk;
    return this.ahead > 0 && !this.bulk.empty ? this.bulk : this.large;
  }

  private hand(frame: OutgoingFrame, lane: Lane): void {
    if (lane === this.bulk) this.handedPosition = frame.last;
    if (frame.live === 0) {
      lane.free(frame);
      return;
    }
    const bytes = frame.seal();
    this.inFlightBytes += bytes.length;
    if (lane === this.bulk && !this.large.empty) this.ahead -= bytes.length;
    else if (lane === this.large || OutgoingFrame.alone(bytes.length)) this.ahead = bytes.length;
    this.stallWatch.begin();
    this.ports.observer.frameSent(bytes.length);
    const done = (error?: Error): void => this.handleWritten(frame, lane, bytes.length, error);
    try {
      this.ports.socket.send(bytes, done, FRAME_ROOM);
    } catch (fault) {
      // sockets may be brought by the application
      done(toGridError(fault));
    }
  }

  private handleWritten(frame: OutgoingFrame, lane: Lane, bytes: number, error: Error | undefined): void {
    this.inFlightBytes -= bytes;
    this.stallWatch.progress();
    lane.free(frame);
    if (this.ended) return;
    if (error) {
      const text = `writing failed: ${error.message}`;
      this.fail(new GridError('UNAVAILABLE', text, { reason: 'disconnected', cause: error }), CloseCode.Abnormal);
      return;
    }
    this.streamBytes -= frame.streamBytes;
    this.account(-frame.live, -frame.liveBytes);
    if (this.blocked) this.pump();
  }

  private account(messages: number, bytes: number): void {
    this.messages += messages;
    this.bytes += bytes;
    this.waiters.look();
  }

  private fail(error: GridError, closeCode: number): void {
    this.stop();
    queueMicrotask(() => this.ports.onFatal(error, closeCode));
  }
}
