import { toGridError, type GridError } from '../errors/index.js';
import type { MuxObserver, StreamFlow } from '../observe/index.js';
import { Rota, type Clock } from '../time/index.js';
import { closeCodeOf, CONNECTION_MUX_ID, Op, violation, type Dialect, type Message } from '../wire/index.js';
import type { BlockWatch } from './block-watch.js';
import type { CallInit, StreamInit } from './call-init.js';
import type { CallPorts } from './call-ports.js';
import type { CallerStream } from './caller-stream.js';
import { Emitter } from './emitter.js';
import type { HandlerDirectory } from './handler.js';
import { IncomingCalls } from './incoming-calls.js';
import type { MuxIntervals, MuxLimits } from './limits.js';
import type { Outbox } from './outbox.js';
import { OutgoingCalls } from './outgoing-calls.js';
import type { OutgoingRequest, RequestListener } from './outgoing-request.js';
import { PayloadCap } from './payload-cap.js';

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
}

/** WebSocket close codes that a mux asks for. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;

/**
 * All calls of one connection, of both directions (wire spec §5, §6). It knows no socket: messages go out through the
 * outbox and come in through `receive`. When the connection ends, the mux ends with it, and so nothing of a call can
 * reach a later connection (H14).
 */
export class Mux {
  private readonly ours: OutgoingCalls;
  private readonly theirs: IncomingCalls;
  private readonly abort: (error: GridError, closeCode: number) => void;
  private closedBy: GridError | undefined;

  constructor({ outbox, handlers, accepting, abort, ...shared }: MuxPorts) {
    const { clock, dialect, intervals, limits } = shared;
    const emitter = new Emitter(outbox, dialect, limits.errorTextBytes);
    const payloadCap = new PayloadCap(limits.messageBytes, dialect);
    const blockWatches = new Rota<BlockWatch>(clock, intervals.blockedStreamMs, (watch) => watch.look());
    const ports: CallPorts = { ...shared, emitter, payloadCap, blockWatches };
    this.abort = abort;
    this.ours = new OutgoingCalls(ports);
    this.theirs = new IncomingCalls(ports, handlers, accepting ?? (() => undefined));
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

  /** Handlers that have not really ended yet, those of calls that are long over included. */
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

  /** A message from the peer. Never throws: what breaks the protocol ends the connection. */
  receive(message: Message): void {
    if (this.closedBy) return;
    try {
      if (message.muxId === CONNECTION_MUX_ID) throw violation(`op ${message.op} needs a muxId`);
      this.dispatch[message.op](message);
    } catch (fault) {
      const error = toGridError(fault, 'INTERNAL');
      this.abort(error, error.reason === undefined ? INTERNAL_ERROR : closeCodeOf(error));
    }
  }

  /** Ends every call at once with this error; handlers are aborted. Later calls do nothing. */
  close(error: GridError): void {
    if (this.closedBy) return;
    this.closedBy = error;
    this.ours.drop(error);
    this.theirs.drop(error);
  }

  /** Which end of a call each op is for; a new op does not compile until it stands here. */
  private readonly dispatch: { readonly [K in Op]: (message: Message) => void } = {
    [Op.Connect]: (message) => this.handleMisplaced(message),
    [Op.ConnectResponse]: (message) => this.handleMisplaced(message),
    [Op.Disconnect]: (message) => this.handleMisplaced(message),
    [Op.Merged]: (message) => this.handleMisplaced(message),
    [Op.Request]: (message) => this.theirs.acceptRequest(message),
    [Op.ConnectMux]: (message) => this.theirs.acceptStream(message),
    [Op.Response]: (message) => this.ours.receive(message),
    [Op.MuxConnectError]: (message) => this.ours.receive(message),
    [Op.UnblockClMux]: (message) => this.ours.receive(message),
    [Op.DisconnectClientMux]: (message) => this.ours.receive(message),
    [Op.AckMux]: (message) => this.ours.receive(message, Op.DisconnectServerMux),
    [Op.MuxServerMsg]: (message) => this.ours.receive(message, Op.DisconnectServerMux),
    [Op.Pong]: (message) => this.ours.receive(message, Op.DisconnectServerMux),
    [Op.UnblockSrvMux]: (message) => this.theirs.receive(message),
    [Op.DisconnectServerMux]: (message) => this.handleCancel(message),
    [Op.MuxClientMsg]: (message) => this.theirs.receive(message),
    [Op.Ping]: (message) => this.theirs.receive(message),
  };

  private handleMisplaced(message: Message): void {
    throw violation(`op ${message.op} is not part of a call`);
  }

  private handleCancel(message: Message): void {
    const excess = this.theirs.cancel(message);
    if (excess) this.abort(excess, POLICY_VIOLATION);
  }

  private checkOpen(): void {
    if (this.closedBy) throw this.closedBy.with({ notSent: true });
  }
}
