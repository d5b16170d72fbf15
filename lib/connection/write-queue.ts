import { GridError, toGridError } from '../errors/index.js';
import type { Outbox } from '../mux/index.js';
import type { ConnectionObserver } from '../observe/index.js';
import type { Clock } from '../time/index.js';
import { maxEncodedSize, type Message } from '../wire/index.js';
import { CloseCode } from './close-code.js';
import { FrameLine } from './frame-line.js';
import type { ConnectionIntervals, ConnectionLimits } from './limits.js';
import type { MessageSocket } from './message-socket.js';
import { OutgoingFrame } from './outgoing-frame.js';
import { slabs, type Slab } from './slab.js';
import { StallWatch } from './stall-watch.js';

/** Bytes handed to the socket and not yet written, past which frames wait here: there they can still be withdrawn. */
const IN_FLIGHT_BYTES = 1024 * 1024;

/** Messages that the second frame of a turn takes; each later one takes twice as many as the one before. */
const FIRST_BATCH = 8;

export interface WriteQueuePorts {
  readonly socket: MessageSocket;
  readonly clock: Clock;
  readonly observer: ConnectionObserver;
  readonly limits: ConnectionLimits;
  readonly intervals: ConnectionIntervals;
  /** Writing cannot go on. Called once, never from inside `send`. */
  readonly onFatal: (error: GridError, closeCode: number) => void;
}

/**
 * Turns messages into frames in the order in which they come. The first message of a turn of the event loop is written
 * at once; those that follow in the same turn are merged into growing frames, the rest of them when the turn is over.
 * While the socket has enough to write, frames fill up and wait.
 */
export class WriteQueue implements Outbox {
  private readonly frames = new FrameLine();
  /** The youngest frame, while it may take more messages. */
  private open: OutgoingFrame | undefined;
  /** Where the next frame is made, if it fits. */
  private slab: Slab | undefined;
  /** Set from the first message of a turn until the turn is over. */
  private turn: NodeJS.Immediate | undefined;
  private batch = FIRST_BATCH;
  /** True while frames wait for the socket, not for the end of the turn. */
  private blocked = false;
  private ended = false;

  private lastPosition = 0;
  private handedPosition = 0;
  private messages = 0;
  private bytes = 0;
  private inFlightBytes = 0;

  private readonly waiters = new Set<() => void>();
  private resuming = false;

  private readonly stallWatch: StallWatch;

  constructor(private readonly ports: WriteQueuePorts) {
    const { clock, intervals } = ports;
    this.stallWatch = new StallWatch({
      clock,
      timeoutMs: intervals.writeTimeoutMs,
      inFlight: () => this.inFlightBytes,
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

  get congested(): boolean {
    return this.bytes > this.ports.limits.queuedBytes;
  }

  send(message: Message): number {
    const position = ++this.lastPosition;
    const bound = maxEncodedSize(message);
    // a full frame need not wait for the end of the turn
    if (this.open?.fits(bound) === false) this.pump();
    if (this.ended) return position;
    const frame = this.encode(message, bound, position);
    if (this.bytes > 2 * this.ports.limits.queuedBytes) {
      const text = `${this.bytes} bytes wait to be written, limits.queuedBytes is ${this.ports.limits.queuedBytes}`;
      this.fail(new GridError('RESOURCE_EXHAUSTED', text, { reason: 'limit' }), CloseCode.Overloaded);
    } else if (this.turn === undefined) {
      this.turn = setImmediate(() => this.endTurn());
      this.pump();
    } else if (frame.count >= this.batch) {
      this.batch *= 2;
      this.pump();
    }
    return position;
  }

  withdraw(position: number): boolean {
    if (this.isHanded(position)) return false;
    const bytes = this.frames.find(position)?.withdraw(position) ?? 0;
    if (bytes > 0) this.account(-1, -bytes);
    return true;
  }

  isHanded(position: number): boolean {
    return position <= this.handedPosition;
  }

  onDrain(resume: () => void): () => void {
    const waiter = (): void => resume();
    this.waiters.add(waiter);
    return () => this.waiters.delete(waiter);
  }

  /** Hands over what waits for the end of the turn. */
  flush(): void {
    this.pump();
  }

  /** Drops everything that waits; nothing is written and nobody is called any more. */
  stop(): void {
    this.ended = true;
    if (this.turn) clearImmediate(this.turn);
    this.stallWatch.stop();
    this.waiters.clear();
    for (let frame = this.frames.shift(); frame; frame = this.frames.shift()) this.free(frame);
    this.open = undefined;
    this.messages = 0;
    this.bytes = 0;
  }

  private encode(message: Message, bound: number, position: number): OutgoingFrame {
    let frame = this.open;
    if (!frame?.fits(bound)) {
      frame = new OutgoingFrame(this.slabFor(bound), position, this.ports.limits.frameMessages);
      this.open = frame;
      this.frames.push(frame);
    }
    const before = frame.liveBytes;
    frame.add(message, bound);
    this.account(1, frame.liveBytes - before);
    return frame;
  }

  private slabFor(bytes: number): Slab {
    const room = OutgoingFrame.room(bytes);
    if (!this.slab || this.slab.free < room) this.slab = slabs.take(room);
    return this.slab;
  }

  private endTurn(): void {
    this.turn = undefined;
    this.batch = FIRST_BATCH;
    this.pump();
  }

  /** Hands frames to the socket until it has enough. */
  private pump(): void {
    while (this.inFlightBytes < IN_FLIGHT_BYTES) {
      const frame = this.frames.shift();
      if (!frame) {
        this.blocked = false;
        return;
      }
      this.hand(frame);
    }
    this.blocked = true;
  }

  private hand(frame: OutgoingFrame): void {
    if (frame === this.open) this.open = undefined;
    this.handedPosition = frame.last;
    if (frame.live === 0) {
      this.free(frame);
      return;
    }
    const bytes = frame.seal();
    this.inFlightBytes += bytes.length;
    this.stallWatch.begin();
    this.ports.observer.frameSent(bytes.length);
    const done = (error?: Error): void => this.handleWritten(frame, bytes.length, error);
    try {
      this.ports.socket.send(bytes, done);
    } catch (fault) {
      // sockets may be brought by the application
      done(toGridError(fault));
    }
  }

  private handleWritten(frame: OutgoingFrame, bytes: number, error: Error | undefined): void {
    this.inFlightBytes -= bytes;
    this.stallWatch.progress();
    this.free(frame);
    if (this.ended) return;
    if (error) {
      const text = `writing failed: ${error.message}`;
      this.fail(new GridError('UNAVAILABLE', text, { reason: 'disconnected', cause: error }), CloseCode.Abnormal);
      return;
    }
    this.account(-frame.live, -frame.liveBytes);
    if (this.blocked) this.pump();
  }

  private free(frame: OutgoingFrame): void {
    if (--frame.slab.frames > 0) return;
    if (frame.slab === this.slab) this.slab = undefined;
    slabs.give(frame.slab);
  }

  private account(messages: number, bytes: number): void {
    this.messages += messages;
    this.bytes += bytes;
    if (this.waiters.size === 0 || this.resuming || this.congested) return;
    // not at once: a mux that withdraws is not called back meanwhile
    this.resuming = true;
    queueMicrotask(() => this.resume());
  }

  private resume(): void {
    this.resuming = false;
    for (const waiter of this.waiters) {
      if (this.congested) return;
      this.waiters.delete(waiter);
      waiter();
    }
  }

  private fail(error: GridError, closeCode: number): void {
    this.stop();
    queueMicrotask(() => this.ports.onFatal(error, closeCode));
  }
}
