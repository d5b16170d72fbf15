import { GridError, TEXT, toGridError } from '../errors/index.js';
import { Mux } from '../mux/index.js';
import { loopSleptMs, Rate, type Timer } from '../time/index.js';
import {
  CloseCode,
  closeCodeOf,
  CONNECTION_MUX_ID,
  decodeErrorText,
  decodeFrame,
  decodePong,
  Op,
  violation,
  type DecodeRules,
  type Dialect,
  type Frame,
  type Message,
} from '../wire/index.js';
import { Heartbeat } from './heartbeat.js';
import type { FrameListener, FrameSocket } from './message-socket.js';
import { movesOf } from './moves.js';
import { DRAIN_REASON_BYTES, OwnMessages } from './own-messages.js';
import { patienceWith } from './patience.js';
import type { ConnectionPorts } from './ports.js';
import { WriteQueue } from './write-queue.js';

/** What the handshake found out. */
export interface ConnectionFacts {
  /** The other process's ID, 16 bytes. */
  readonly remoteId: Uint8Array;
  readonly dialect: Dialect;
}

type State =
  | { readonly name: 'open' }
  /** All calls have ended; the socket is given a moment for its goodbye. */
  | { readonly name: 'closing'; readonly error: GridError; readonly code: number; readonly patience: Timer }
  | { readonly name: 'closed'; readonly error: GridError; readonly code: number };

/**
 * One socket after its handshake, with everything that lives and dies with it: the mux of its calls, the write queue
 * and the heartbeat. A connection that ended stays ended. Nothing that the peer sends makes it throw.
 */
export class Connection implements FrameListener {
  readonly remoteId: Uint8Array;
  readonly dialect: Dialect;
  readonly remoteAddress: string | undefined;
  readonly mux: Mux;
  /**
   * Called once when the connection has ended, after all its calls have. Ended before it was set: see `closed` and
   * `closeCode`.
   */
  onClosed: ((error: GridError, closeCode: number) => void) | undefined = undefined;

  /**
   * Called once when the peer says that it drains: it takes no new calls, and closes when the old ones are over. Said
   * before it was set: see `peerDrainReason`.
   */
  onPeerDraining: ((reason: string) => void) | undefined = undefined;

  /** Called when the peer has answered our goodbye: only a process that lives does. */
  onGoodbye: (() => void) | undefined = undefined;

  private state: State = { name: 'open' };
  /** The peer's; undefined: it does not drain. */
  private drainReason: string | undefined = undefined;
  /**
   * What waited to be written when the peer said so. Our pongs come after it: the peer takes the next one as the word
   * that the calls which we made before have arrived.
   */
  private heardDrainAt = 0;
  /** We have said so. */
  private drains = false;
  /** A ping that follows our Disconnect, or what we sent last, is not answered yet. */
  private drainUnheard = false;
  private readonly queue: WriteQueue;
  private readonly own: OwnMessages;
  private readonly heartbeat: Heartbeat;
  /** Of its pings. */
  private readonly pingRate: Rate;
  private readonly rules: DecodeRules;

  constructor(
    private readonly socket: FrameSocket,
    facts: ConnectionFacts,
    private readonly ports: ConnectionPorts,
  ) {
    const { clock, observer, handlers, limits, intervals, accepting, load, sleptMs = loopSleptMs } = ports;
    const { dialect } = facts;
    // a copy: it is kept for long, and a view would keep the memory that the handshake was read into
    this.remoteId = Uint8Array.from(facts.remoteId);
    this.dialect = dialect;
    this.remoteAddress = socket.remoteAddress;
    const { messageBytes, frameMessages } = limits;
    this.rules = { extensions: dialect.extensions, messageBytes, frameMessages };
    const abort = (error: GridError, closeCode: number): void => this.abort(error, closeCode);
    const calls = (): number => this.mux.outgoing;
    this.queue = new WriteQueue({ socket, clock, observer, limits, intervals, calls, sleptMs, onFatal: abort });
    const outbox = this.queue;
    this.own = new OwnMessages(this.queue, dialect.baseFlags, intervals.pingMs);
    const probe = (): void => this.probe(() => {});
    const given = { clock, handlers, observer, limits, intervals, accepting, load };
    this.mux = new Mux({ ...given, outbox, dialect, abort, probe });
    this.pingRate = new Rate(clock, limits.pingsPerSecond);
    this.heartbeat = new Heartbeat({
      clock,
      pingMs: intervals.pingMs,
      sendPing: (time) => this.own.ping(time),
      onArrived: (sentAt) => this.mux.arrived(sentAt),
      onRoundTrip: (milliseconds) => observer.pinged(milliseconds),
      moves: movesOf(socket),
      onSilence: () => abort(ended(`no pong for two intervals of ${intervals.pingMs} ms`), CloseCode.Abnormal),
    });
  }

  /** Why the connection has ended; undefined while it is open. */
  get closed(): GridError | undefined {
    return this.state.name === 'open' ? undefined : this.state.error;
  }

  /** What it has ended with, our code or the peer's; undefined while it is open. */
  get closeCode(): number | undefined {
    return this.state.name === 'open' ? undefined : this.state.code;
  }

  /** Messages taken and not yet written. */
  get queuedMessages(): number {
    return this.queue.queuedMessages;
  }

  /** Their encoded bytes. */
  get queuedBytes(): number {
    return this.queue.queuedBytes;
  }

  /** The last round trip in milliseconds, undefined before the first. */
  get lastPingMs(): number | undefined {
    return this.heartbeat.lastPingMs;
  }

  /** Measures a round trip, in milliseconds. Rejects with UNAVAILABLE when the connection ends or has ended. */
  ping(): Promise<number> {
    return this.heartbeat.ping();
  }

  /** True once the peer has said that it drains. */
  get peerDrains(): boolean {
    return this.drainReason !== undefined;
  }

  /** What the peer gave as the reason of its drain. */
  get peerDrainReason(): string | undefined {
    return this.drainReason;
  }

  /**
   * Tells the peer that this end takes no new calls and will close (wire spec §11, `drain`). Said once, and only to a
   * peer that understands it; the calls that are open go on.
   */
  drain(reason: string): void {
    if (this.state.name !== 'open' || this.drains || !this.dialect.extensions.has('drain')) return;
    this.drains = true;
    this.own.drain(reason);
    // calls that the peer sent before it heard of the drain are refused by the time of the pong: nothing is lost unsaid
    this.confirm();
  }

  /**
   * Asks the peer whether all that was sent has come: `drainPending` until it answers. Only one that understands a
   * drain: who speaks no more than v1 is not waited for.
   */
  confirm(): void {
    if (this.state.name !== 'open' || !this.dialect.extensions.has('drain')) return;
    this.drainUnheard = true;
    this.probe(() => (this.drainUnheard = false));
    this.queue.flush();
  }

  /**
   * True while the peer may still send calls because it has not heard of our drain, or has not said that it has what it
   * was asked for by `confirm`.
   */
  get drainPending(): boolean {
    return this.drainUnheard;
  }

  /**
   * A clean end: the peer is told why, the calls that are open end as disconnected. What waits for the end of the turn
   * is written before; what waits for the socket is not: who wants it written closes when `queuedMessages` is 0.
   */
  close(code: number, reason: string): void {
    this.queue.flush();
    this.end(ended(`closed: ${reason}`), code, reason);
  }

  /** An end by an error, which the peer is told as the reason. */
  abort(error: GridError, code: number): void {
    this.end(error, code, error.message);
  }

  onFrame(frame: Frame): void {
    if (this.state.name !== 'open') return;
    this.ports.observer.frameReceived(frame.length);
    try {
      if (frame.length > this.ports.limits.frameBytes) throw frameTooBig(frame.length, this.ports.limits.frameBytes);
      const cameAt = this.ports.clock.now();
      this.mux.beginFrame(cameAt);
      for (const message of decodeFrame(frame, this.rules)) {
        if (message.muxId === CONNECTION_MUX_ID) this.handleOwn(message);
        else this.mux.receive(message, cameAt);
        if (this.closed) return;
      }
      this.mux.endFrame();
      this.queue.frameHandled();
    } catch (fault) {
      const error = toGridError(fault, 'INTERNAL');
      this.abort(error, error.reason === undefined ? CloseCode.Internal : closeCodeOf(error));
    }
  }

  onViolation(code: number, reason: string): void {
    this.abort(violation(reason), code);
  }

  onClose(code: number, reason: string): void {
    if (this.state.name === 'open') {
      const error = ended(`the socket was closed: ${reason === '' ? code : `${code} ${reason}`}`);
      this.enter({ name: 'closed', error, code });
      this.endCalls(error, code);
    } else {
      const answered = this.state.name === 'closing' && code !== CloseCode.Abnormal;
      this.enter({ name: 'closed', error: this.state.error, code: this.state.code });
      if (answered) this.onGoodbye?.();
    }
  }

  /** A message of the connection itself. */
  private handleOwn(message: Message): void {
    switch (message.op) {
      case Op.Ping:
        if (this.pingRate.exceeded()) {
          const text = `more than pingsPerSecond (${this.ports.limits.pingsPerSecond}) pings`;
          this.abort(new GridError('RESOURCE_EXHAUSTED', text, { reason: 'limit' }), CloseCode.Policy);
          return;
        }
        this.own.pong(message, this.heardDrainAt);
        return;
      case Op.Pong:
        this.heartbeat.handlePong(decodePong(message.payload));
        return;
      case Op.Disconnect:
        this.handleDrain(message);
        return;
      default:
        throw violation(`op ${message.op} on an open connection`);
    }
  }

  private handleDrain(message: Message): void {
    // not negotiated, or said again: ignored (wire spec §11)
    if (!this.dialect.extensions.has('drain') || this.peerDrains) {
      this.ports.observer.dropped('odd-op');
      return;
    }
    this.drainReason = decodeErrorText(message.payload?.subarray(0, DRAIN_REASON_BYTES));
    this.heardDrainAt = this.queue.position;
    this.onPeerDraining?.(this.drainReason);
  }

  /** Pings behind all that was sent: its pong tells that that has come. */
  private probe(onAnswered: () => void): void {
    this.own.orderPings();
    this.heartbeat.probe(onAnswered);
  }

  private end(error: GridError, code: number, reason: string): void {
    if (this.state.name !== 'open') return;
    if (code === CloseCode.Abnormal) {
      this.enter({ name: 'closed', error, code });
      this.socket.terminate();
    } else {
      this.enter({ name: 'closing', error, code, patience: patienceWith(this.socket, this.ports.clock) });
      this.socket.close(code, reason);
    }
    this.endCalls(error, code);
  }

  private endCalls(error: GridError, code: number): void {
    this.queue.stop();
    this.heartbeat.stop(disconnected(error));
    this.mux.close(disconnected(error));
    this.onClosed?.(error, code);
  }

  private enter(next: State): void {
    if (this.state.name === 'closing') this.state.patience.cancel();
    this.state = next;
  }
}

/** What the calls of a connection that ended end with (wire spec §9), whatever the cause. */
function disconnected(cause: GridError): GridError {
  return new GridError('UNAVAILABLE', TEXT.disconnected, { reason: 'disconnected', cause });
}

function ended(text: string): GridError {
  return new GridError('UNAVAILABLE', text, { reason: 'disconnected' });
}

function frameTooBig(bytes: number, cap: number): GridError {
  return new GridError('OUT_OF_RANGE', `a frame of ${bytes} bytes, limits.frameBytes is ${cap}`, { reason: 'limit' });
}
