import { Buffer } from 'node:buffer';
import { BehaviorSubject } from 'rxjs';
import type { Connection } from '../connection/index.js';
import { GridError, TEXT, toGridError } from '../errors/index.js';
import { PeerLoad, type Mux } from '../mux/index.js';
import type { Clock, Timer } from '../time/index.js';
import { CloseCode } from '../wire/index.js';
import { ConnectWaiters } from './connect-waiters.js';
import type { GridEvent } from './grid-event.js';
import type { GridIntervals } from './limits.js';
import type { Link } from './link.js';
import { absenceOf, isRefusal, REPEAT_MS, type LinkLog } from './link-log.js';
import type { PeerState, WaitOptions } from './peer-state.js';
import { PeerStats } from './peer-stats.js';

/** What a link is given. */
export interface LinkPorts {
  /** This host's own origin. */
  readonly local: string;
  readonly clock: Clock;
  readonly intervals: GridIntervals;
  readonly log: LinkLog;
  /**
   * Opens one connection to the peer; only asked where this host is the one that dials. `onGreeting`: Connect is about
   * to be sent.
   */
  readonly dial: (
    signal: AbortSignal,
    stats: PeerStats,
    load: PeerLoad,
    onGreeting: () => void,
  ) => Promise<Connection>;
  readonly tell: (event: GridEvent) => void;
  /** `limits.heldBytes`. */
  readonly heldBytes: number;
}

/** A peer that should have dialed us so many times over is away, or does not know us: 30 s, a slow start takes less. */
const MISSED_REDIALS = 30;

/** What a link is about; leaving a phase cleans up what that phase owns (`enter`). */
type Phase =
  | { readonly at: 'idle' }
  | { readonly at: 'dialing'; readonly abort: AbortController }
  /** Connect is sent: for the peer the connection may stand already, and calls of its may be on their way. */
  | { readonly at: 'greeting'; readonly abort: AbortController }
  | { readonly at: 'pausing'; readonly timer: Timer }
  /** The acceptor's lot: the peer dials. After a time without it the log says so. */
  | { readonly at: 'waiting'; readonly timer: Timer }
  | { readonly at: 'connected'; readonly connection: Connection }
  | { readonly at: 'closed' };

/** The one connection to one other host: made, replaced, lost and made again, until the grid is closed. */
export class PeerLink implements Link {
  readonly status = new BehaviorSubject<PeerState>('connecting');
  readonly stats: PeerStats;
  /** Shared by all connections: what a former one left behind still counts. */
  readonly load: PeerLoad;
  /** Connections after the first one. */
  reconnects = 0;
  private phase: Phase = { at: 'idle' };
  private dialStartedAt = -Infinity;
  /** Why there is no connection: of the last dial, or of the one that was lost. */
  private fault: GridError | undefined = undefined;
  /** The same of a peer that is to dial and has not; made when somebody asks. */
  private absence: GridError | undefined = undefined;
  /** Why we refused a connection in the name of that peer, since the last one that stood. */
  private refusal: string | undefined = undefined;
  /** Why no further connection is wanted: the grid drains. */
  private retired: string | undefined = undefined;
  /** ID of the peer's process, known since the first connection. */
  private remoteId: Uint8Array | undefined = undefined;
  private readonly waiters: ConnectWaiters;

  constructor(
    readonly peer: string,
    /** True iff this host is the one of the two that dials. */
    readonly dials: boolean,
    private readonly ports: LinkPorts,
  ) {
    this.stats = new PeerStats((stream) => ports.log.blocked(stream));
    this.load = new PeerLoad(ports.heldBytes);
    this.waiters = new ConnectWaiters(ports.clock, peer, () => this.why);
  }

  get state(): PeerState {
    return this.status.value;
  }

  get connection(): Connection | undefined {
    return this.phase.at === 'connected' ? this.phase.connection : undefined;
  }

  /** True while the peer may have calls on their way that came before its answer to our Connect. */
  get greeting(): boolean {
    return this.phase.at === 'greeting';
  }

  /**
   * Where calls to the peer go.
   * @throws GridError UNAVAILABLE with `notSent`: reason `not-connected` with why as its cause, `draining` while the
   * peer does, `closed` once the grid is.
   */
  line(): Mux {
    if (this.phase.at === 'connected') {
      if (this.phase.connection.peerDrains) throw this.drainingError();
      return this.phase.connection.mux;
    }
    if (this.phase.at === 'closed') throw this.closedError();
    const text = this.phase.at === 'idle' ? 'the grid is not started' : TEXT.disconnected;
    const { peer } = this;
    throw new GridError('UNAVAILABLE', text, { peer, reason: 'not-connected', notSent: true, cause: this.why });
  }

  /** Why there is no connection, as far as it is known. */
  private get why(): GridError | undefined {
    if (this.phase.at !== 'waiting' || (this.fault && this.refusal === undefined)) return this.fault;
    const { peer } = this;
    const text = absenceOf(peer, this.ports.local, this.remoteId !== undefined, this.refusal);
    return (this.absence ??= new GridError('UNAVAILABLE', text, { peer, reason: 'not-connected' }));
  }

  /** We refused a connection in the name of the peer, which is not proven: most likely that is why it is away. */
  refused(reason: string): void {
    if (this.phase.at !== 'waiting') return;
    this.refusal = reason;
    this.absence = undefined;
  }

  start(): void {
    if (this.phase.at === 'idle') this.seek(0);
  }

  async waitForConnect(options: WaitOptions = {}): Promise<void> {
    // a peer that drains takes no calls: what is waited for is the connection after this one
    if (this.phase.at === 'connected' && !this.phase.connection.peerDrains) return;
    if (this.phase.at === 'closed') throw this.closedError();
    await this.waiters.wait(options);
  }

  async ping(): Promise<number> {
    // a peer that drains takes no calls, but its connection stands
    if (!this.connection) this.line();
    return await this.connection!.ping();
  }

  /** Takes a connection whose handshake is over. One that stands already is replaced: closed with 4001. */
  adopt(connection: Connection): void {
    const late = this.retired !== undefined && this.phase.at !== 'greeting';
    if (this.phase.at === 'closed' || late) return connection.close(CloseCode.GoingAway, 'this host closes');
    const known = this.remoteId;
    const restarted = known !== undefined && Buffer.compare(known, connection.remoteId) !== 0;
    if (this.phase.at === 'connected' && restarted) {
      const theft = this.theft(this.phase.connection, connection);
      // one that died unnoticed, and whose successor this is, does not answer
      this.phase.connection.onGoodbye = () => this.ports.log.stolen(theft);
    }
    if (known !== undefined) this.reconnects++;
    this.remoteId = connection.remoteId;
    // what may have come between its handshake and now is told below; from now on the connection tells it
    const { peerDrainReason, closed, closeCode = CloseCode.Abnormal } = connection;
    const draining = (reason: string): void => {
      this.ports.log.draining(reason);
      this.ports.tell({ type: 'draining', peer: this.peer, reason });
    };
    connection.onPeerDraining = draining;
    connection.onClosed = (error, code) => this.lose(connection, error, code);
    this.fault = undefined;
    this.refusal = undefined;
    this.absence = undefined;
    this.enter({ at: 'connected', connection });
    this.ports.log.connected();
    if (restarted) this.ports.tell({ type: 'restarted', peer: this.peer });
    this.ports.tell({ type: 'up', peer: this.peer, restarted });
    if (peerDrainReason === undefined && !closed) this.waiters.settle();
    if (this.retired !== undefined) connection.drain(this.retired);
    if (peerDrainReason !== undefined) draining(peerDrainReason);
    if (closed) this.lose(connection, closed, closeCode);
  }

  /**
   * Makes no new connection from now on; the peer of one that stands is told why, and it stays until `close`. One that
   * may stand for the peer is finished and told the same: calls that the peer made meanwhile must not be lost.
   */
  retire(reason: string): void {
    this.retired = reason;
    if (this.phase.at === 'connected') this.phase.connection.drain(reason);
    else if (this.phase.at !== 'greeting') this.close();
  }

  /** Ends the link for good; its connection says goodbye with 1001. */
  close(): void {
    if (this.phase.at === 'closed') return;
    this.enter({ at: 'closed' });
    this.waiters.settle(this.closedError());
    this.status.complete();
  }

  /** The dialer dials, at once or after a pause; the acceptor waits. */
  private seek(delayMs: number): void {
    if (!this.dials) return this.wait(MISSED_REDIALS * this.ports.intervals.redialMs);
    if (delayMs <= 0) return this.dial();
    this.enter({ at: 'pausing', timer: this.ports.clock.setTimer(delayMs, () => this.dial()) });
  }

  private wait(quietMs: number): void {
    const tell = (): void => {
      this.ports.log.absent(this.ports.local, this.refusal);
      this.wait(REPEAT_MS);
    };
    this.enter({ at: 'waiting', timer: this.ports.clock.setTimer(quietMs, tell) });
  }

  private dial(): void {
    const abort = new AbortController();
    this.dialStartedAt = this.ports.clock.now();
    this.enter({ at: 'dialing', abort });
    const onGreeting = (): void => {
      if (!abort.signal.aborted) this.enter({ at: 'greeting', abort });
    };
    this.ports.dial(abort.signal, this.stats, this.load, onGreeting).then(
      (connection) => {
        if (abort.signal.aborted) connection.close(CloseCode.GoingAway, 'no longer wanted');
        else this.adopt(connection);
      },
      (foreign: unknown) => {
        if (abort.signal.aborted) return;
        if (this.retired !== undefined) return this.close();
        const error = toGridError(foreign, 'UNAVAILABLE');
        this.fault = error;
        this.ports.log.failed(error);
        if (isRefusal(error))
          this.ports.tell({ type: 'refused', direction: 'outgoing', peer: this.peer, reason: error.message });
        this.seek(this.pauseMs());
      },
    );
  }

  /** Attempts start 1 to 2 intervals apart, counted from start to start (wire spec §3). */
  private pauseMs(): number {
    const { clock, intervals } = this.ports;
    return this.dialStartedAt + intervals.redialMs * (1 + clock.random()) - clock.now();
  }

  private lose(connection: Connection, error: GridError, code: number): void {
    if (this.phase.at !== 'connected' || this.phase.connection !== connection) return;
    if (this.retired !== undefined) return this.close();
    this.fault = error;
    // the acceptor tells with 4001 that another process goes by our name; fighting over it would cut both for ever
    const replaced = this.dials && code === CloseCode.Replaced;
    if (replaced) this.ports.log.replaced(this.ports.local, this.ports.intervals.replacedMs);
    else this.ports.log.lost(error);
    this.seek(replaced ? this.ports.intervals.replacedMs : this.pauseMs());
    this.ports.tell({ type: 'down', peer: this.peer, error });
  }

  /** The only writer of the phase. */
  private enter(next: Phase): void {
    const left = this.phase;
    this.phase = next;
    this.status.next(this.visible());
    const given = next.at === 'greeting' || next.at === 'connected';
    if ((left.at === 'dialing' || left.at === 'greeting') && !given) left.abort.abort();
    if (left.at === 'pausing' || left.at === 'waiting') left.timer.cancel();
    if (left.at === 'connected' && !left.connection.closed) {
      if (next.at === 'connected') left.connection.close(CloseCode.Replaced, 'replaced by a newer connection');
      else left.connection.close(CloseCode.GoingAway, 'this host closes');
    }
  }

  private visible(): PeerState {
    if (this.phase.at === 'connected' || this.phase.at === 'closed') return this.phase.at;
    return this.remoteId === undefined ? 'connecting' : 'disconnected';
  }

  private closedError(): GridError {
    return new GridError('UNAVAILABLE', 'the grid is closed', { peer: this.peer, reason: 'closed', notSent: true });
  }

  private drainingError(): GridError {
    return new GridError('UNAVAILABLE', TEXT.draining, { peer: this.peer, reason: 'draining', notSent: true });
  }

  private theft(old: Connection, now: Connection): string {
    const name = (connection: Connection): string =>
      `process ${uuidOf(connection.remoteId)} at ${connection.remoteAddress ?? 'an unknown address'}`;
    return `two processes call themselves ${this.peer}: ${name(old)} is replaced by ${name(now)}`;
  }
}

/** The usual spelling of a process ID. */
function uuidOf(id: Uint8Array): string {
  return Buffer.from(id)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
