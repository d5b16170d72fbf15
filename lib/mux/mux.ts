import { toGridError, type GridError } from '../errors/index.js';
import type { MuxObserver, StreamFlow } from '../observe/index.js';
import { DeadlineWheel, Rota, type Clock } from '../time/index.js';
import {
  CloseCode,
  closeCodeOf,
  CONNECTION_MUX_ID,
  Op,
  violation,
  type Dialect,
  type Message,
} from '../wire/index.js';
import type { BlockWatch } from './block-watch.js';
import type { CallInit, StreamInit } from './call-init.js';
import type { CallPorts } from './call-ports.js';
import type { CallerStream } from './caller-stream.js';
import { Emitter } from './emitter.js';
import type { HandlerDirectory } from './handler.js';
import { CREDIT_DELAY_MS, type Inbound } from './inbound.js';
import { IncomingCalls } from './incoming-calls.js';
import type { MuxIntervals, MuxLimits } from './limits.js';
import type { Outbox } from './outbox.js';
import { OutgoingCalls } from './outgoing-calls.js';
import type { OutgoingRequest, RequestListener } from './outgoing-request.js';
import { PayloadCap } from './payload-cap.js';
import type { PayloadEncoder } from './payload-encoder.js';
import { PeerLoad } from './peer-load.js';

export interface MuxPorts {
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly handlers: HandlerDirectory;
  readonly observer: MuxObserver;
  readonly limits: MuxLimits;
  readonly intervals: MuxIntervals;
  readonly dialect: Dialect;
  /** Ends the connection: the peer broke a rule. Expected to call `close` in turn. */
  readonly abort: (error: GridError, closeCode: number) => void;
  /** Why no new calls of the peer are taken now, undefined while they are. */
  readonly accepting?: (() => GridError | undefined) | undefined;
  /**
   * Has the peer answer behind all that was sent: `arrived` follows when it has. Default: what is sent comes at once.
   */
  readonly probe?: (() => void) | undefined;
  /** What the peer has under way, over all of its connections. Default: this one alone counts. */
  readonly load?: PeerLoad | undefined;
}

/**
 * All calls of one connection, of both directions (wire spec §5, §6). It knows no socket: messages go out through the
 * outbox and come in through `receive`. When the connection ends, the mux ends with it, and so nothing of a call can
 * reach a later connection (H14).
 */
export class Mux {
  private readonly ours: OutgoingCalls;
  private readonly theirs: IncomingCalls;
  private readonly outbox: Outbox;
  private readonly clock: Clock;
  private readonly deadlines: DeadlineWheel;
  private readonly owing: Rota<Inbound>;
  private readonly abort: (error: GridError, closeCode: number) => void;
  private closedBy: GridError | undefined = undefined;

  constructor({ outbox, handlers, accepting, load, probe, abort, ...shared }: MuxPorts) {
    const { clock, dialect, intervals, limits } = shared;
    const payloadCap = new PayloadCap(limits, dialect);
    const emitter = new Emitter(outbox, dialect, Math.min(limits.errorTextBytes, payloadCap.peerCap));
    const blockWatches = new Rota<BlockWatch>(clock, intervals.blockedStreamMs, (watch) => watch.look());
    const owing = new Rota<Inbound>(clock, CREDIT_DELAY_MS, (inbound) => inbound.giveBack());
    this.owing = owing;
    this.outbox = outbox;
    this.clock = clock;
    this.deadlines = new DeadlineWheel(clock);
    const ports: CallPorts = { ...shared, emitter, payloadCap, blockWatches, owing, deadlines: this.deadlines };
    this.abort = abort;
    this.ours = new OutgoingCalls(ports, probe);
    const theirLoad = load ?? new PeerLoad(limits.heldBytes);
    this.theirs = new IncomingCalls(ports, handlers, accepting ?? (() => undefined), theirLoad);
  }

  /** Set once the mux was closed: the error that its calls ended with. */
  get closed(): GridError | undefined {
    return this.closedBy;
  }

  /** Open calls that this end made. */
  get outgoing(): number {
    return this.ours.size;
  }

  /** The open streams of both directions; looked at only when asked. */
  flows(): StreamFlow[] {
    return [...this.ours.flows(), ...this.theirs.flows()];
  }

  /** Open calls that the peer made. */
  get incoming(): number {
    return this.theirs.size;
  }

  /** The peer's handlers that have not really ended yet, those of calls and connections long over included. */
  get running(): number {
    return this.theirs.running;
  }

  /**
   * Starts a single request.
   * @throws GridError with `notSent`: UNAVAILABLE (closed), DEADLINE_EXCEEDED (under 1 ms left), OUT_OF_RANGE (payload
   * too large), FAILED_PRECONDITION (metadata for a peer without `meta`), INVALID_ARGUMENT (metadata too large),
   * RESOURCE_EXHAUSTED (`limits.queuedBytes`).
   */
  openRequest(init: CallInit, listener: RequestListener): OutgoingRequest {
    this.checkOpen();
    return this.ours.openRequest(init, listener);
  }

  /**
   * Starts a stream.
   * @throws GridError as `openRequest`.
   */
  openStream(init: StreamInit): CallerStream {
    this.checkOpen();
    return this.ours.openStream(init);
  }

  /** A value as the payload of a call that is started next, before anything else is sent: see `Outbox.encode`. */
  encode(value: unknown, codec: PayloadEncoder): Uint8Array {
    return this.outbox.encode(value, codec);
  }

  /** What was sent up to then, on the mux's clock, has come to the peer. */
  arrived(sentAt: number): void {
    this.ours.arrived(sentAt);
  }

  /** The messages of one frame are received next, which came then. Calls that begin and end in it ask for no timer. */
  beginFrame(cameAt: number): void {
    this.owing.hold(cameAt);
    this.deadlines.hold();
    this.ours.hold(cameAt);
    this.theirs.hold(cameAt);
  }

  endFrame(): void {
    this.owing.release();
    this.deadlines.release();
    this.ours.release();
    this.theirs.release();
  }

  /**
   * A message from the peer. Never throws: what breaks the protocol ends the connection.
   * @param cameAt On the mux's clock: those of one frame came together.
   */
  receive(message: Message, cameAt = this.clock.now()): void {
    if (this.closedBy) return;
    try {
      if (message.muxId === CONNECTION_MUX_ID) throw violation(`op ${message.op} needs a muxId`);
      this.deliver(message, cameAt);
    } catch (fault) {
      const error = toGridError(fault, 'INTERNAL');
      this.abort(error, error.reason === undefined ? CloseCode.Internal : closeCodeOf(error));
    }
  }

  /** Ends every call at once with this error; handlers are aborted. Later calls do nothing. */
  close(error: GridError): void {
    if (this.closedBy) return;
    this.closedBy = error;
    this.ours.drop(error);
    this.theirs.drop(error);
    this.deadlines.clear();
  }

  /** Which end of a call each op is for; a new op does not compile until it stands here. */
  private deliver(message: Message, cameAt: number): void {
    switch (message.op) {
      case Op.Request:
        this.theirs.acceptRequest(message, cameAt);
        return;
      case Op.Response:
      case Op.MuxConnectError:
      case Op.UnblockClMux:
      case Op.DisconnectClientMux:
        this.ours.receive(message, cameAt);
        return;
      case Op.AckMux:
      case Op.MuxServerMsg:
      case Op.Pong:
        this.ours.receive(message, cameAt, Op.DisconnectServerMux);
        return;
      case Op.ConnectMux:
        this.theirs.acceptStream(message, cameAt);
        return;
      case Op.UnblockSrvMux:
      case Op.MuxClientMsg:
      case Op.Ping:
        this.theirs.receive(message);
        return;
      case Op.DisconnectServerMux:
        this.handleCancel(message);
        return;
      case Op.Connect:
      case Op.ConnectResponse:
      case Op.Disconnect:
      case Op.Merged:
        throw violation(`op ${message.op} is not part of a call`);
      default:
        message.op satisfies never;
    }
  }

  private handleCancel(message: Message): void {
    const excess = this.theirs.cancel(message);
    if (excess) this.abort(excess, CloseCode.Policy);
  }

  private checkOpen(): void {
    if (this.closedBy) throw this.closedBy.with({ notSent: true });
  }
}
