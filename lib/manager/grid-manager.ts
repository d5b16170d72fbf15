import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { inspect } from 'node:util';
import { Subject, type Observable } from 'rxjs';
import type { WebSocket } from 'ws';
import {
  addHook,
  HandlerTable,
  shownOption,
  verifyInterceptor,
  verifyIsOptions,
  type CallContext,
  type CallInterceptor,
  type Contract,
  type ContractHandler,
  type GivenAnswer,
  type HandlerInterceptor,
  type Pattern,
  type NeedsPayload,
  type PayloadArgs,
  type PayloadOf,
  type RequestContract,
} from '../calls/index.js';
import type { ConnectionPorts, MessageSocket } from '../connection/index.js';
import { GridError, handled } from '../errors/index.js';
import { EXTENSIONS } from '../wire/index.js';
import { Acceptor } from './acceptor.js';
import { authOf } from './auth.js';
import { DialTlsSource } from './dial-tls.js';
import { Dialing, messageSocket } from './dialing.js';
import { drained } from './drain.js';
import { fanOut, type FanOutOptions } from './fan-out.js';
import type { GridEvent } from './grid-event.js';
import type { GridPeer } from './grid-peer.js';
import type { GridStats } from './grid-stats.js';
import { handlerSpec, type HandleOptions } from './handle-options.js';
import { Inquiry } from './inquiry.js';
import { leftovers } from './leftovers.js';
import { closedGrid, Life } from './life.js';
import { Listening } from './listening.js';
import { OpenSockets } from './open-sockets.js';
import type { GridOptions, GridSettings } from './options.js';
import { OwnListener } from './own-listener.js';
import type { PeerLink } from './peer-link.js';
import { Refusals } from './refusals.js';
import { Renewal } from './renewal.js';
import { Roster } from './roster.js';
import type { Settled, SettledResults } from './settled-results.js';
import { StartWatch } from './start-watch.js';
import { UpgradeGate } from './upgrade-gate.js';
import { verifyOptions } from './verify-options.js';

/** One process's place in a grid: its links to all other hosts, its handlers, its calls. Runs without Nest. */
export class GridManager {
  /** Checked, with all defaults filled in. */
  readonly options: GridSettings;
  /** This process's origin. */
  readonly local: string;
  /** Tells several grids of a process apart; `default` where none was given. */
  readonly name: string;
  /** Path of the WebSocket. */
  readonly route: string;
  /** What this host answers. Register before `start()`, so that no peer meets a handler that is not there yet. */
  readonly handlers: HandlerTable;
  /** All other hosts, in the order of the list. */
  readonly peers: readonly GridPeer[];
  /** What happens between this host and the others; completes at the end of `close()`. */
  readonly events: Observable<GridEvent>;

  private readonly life = new Life();
  private started: Promise<void> | undefined = undefined;
  private closed: Promise<void> | undefined = undefined;
  private readonly told = new Subject<GridEvent>();
  protected readonly interceptors: CallInterceptor[] = [];
  private readonly roster: Roster;
  private readonly sockets = new OpenSockets();
  private readonly inquiry: Inquiry;
  private readonly renewal: Renewal;
  private readonly acceptor: Acceptor;
  private readonly gate: UpgradeGate;
  private readonly listening: Listening;

  /**
   * @throws GridError INVALID_ARGUMENT that names the option that is wrong, or what the function of `auth.secret`
   * threw.
   */
  constructor(options: GridOptions) {
    const settings = verifyOptions(options);
    const { local, hosts, clock, limits, intervals, logger, crc } = settings;
    this.options = settings;
    this.local = local;
    this.name = settings.name;
    this.route = settings.route;
    this.events = this.told.asObservable();
    this.handlers = new HandlerTable({ clock, logger });
    if (settings.auth === 'none')
      logger.warn(`grid ${this.name}: auth is 'none': whoever knows a host's name may call it`);

    // keys and secrets go to who uses them and nowhere else: `this.options` may be logged
    const { token: auth, ring } = authOf(options.auth!, hosts, clock);
    this.inquiry = new Inquiry(clock);
    const dialTls = new DialTlsSource(options.tls, this.inquiry, logger);
    this.renewal = new Renewal(logger, dialTls, ring, () => this.listening.own());
    const listen = options.listen ?? {};
    const refusals = new Refusals(clock, limits.refusedPerMinute);
    const tell = (event: GridEvent): void => this.told.next(event);
    const closedBecause = (): string | undefined => this.life.closedBecause();
    const connection: Omit<ConnectionPorts, 'observer' | 'handlers' | 'load'> = {
      clock,
      limits,
      intervals,
      crc,
      extensions: EXTENSIONS,
      localId: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
      accepting: () => this.life.refusal(),
    };
    const { handlers, sockets, interceptors } = this;
    const dialing = new Dialing(settings, auth, dialTls, connection, handlers, sockets);
    const started = (): boolean => this.life.stage !== 'new';
    const watch = new StartWatch({ clock, logger, started, advice: () => this.startAdvice() });
    this.roster = new Roster({ settings, dialing, handlers, interceptors, tell, watch });
    this.peers = this.roster.peers;
    const link = (host: string): PeerLink | undefined => this.roster.link(host);
    this.acceptor = new Acceptor({ settings, auth, refusals, handlers, link, closedBecause, connection, tell });
    this.gate = new UpgradeGate({ settings, auth, refusals, acceptor: this.acceptor, sockets, closedBecause });
    this.listening = new Listening({
      settings,
      open: () => OwnListener.open(settings, listen, this.inquiry),
      onUpgrade: (request, socket, head) => this.gate.handle(request, socket, head),
      onTlsFault: (reason, remoteAddress) => this.acceptor.tellRefused(remoteAddress, reason),
    });
  }

  /**
   * A host of the list, `local` included; with `subroute` what `peer(origin).subroute(…)` gives.
   * @throws GridError INVALID_ARGUMENT for any other name, and for an empty part of the subroute.
   */
  peer(origin: string, subroute?: string | readonly string[]): GridPeer {
    const peer = this.host(origin);
    if (subroute === undefined) return peer;
    return typeof subroute === 'string' ? peer.subroute(subroute) : peer.subroute(...subroute);
  }

  /**
   * Registers a handler; the returned function removes it. A contract decides its kind, capacities, codec and schemas;
   * a pattern is a request and a stream, whichever the caller asks for, unless `options.kind` says so. `P` is the
   * handler's word for what comes, not checked.
   * @throws GridError INVALID_ARGUMENT (handler ID, options), ALREADY_EXISTS (a second handler for it).
   */
  handle<P = unknown>(
    to: Pattern,
    options: HandleOptions,
    run: (payload: P, context: CallContext) => unknown,
  ): () => void;
  // this overload is last: the compiler's error is about the last one, and a contract's types are what it can explain
  handle<C extends Contract>(to: C, options: HandleOptions, run: ContractHandler<C>): () => void;
  handle(
    to: Pattern | Contract,
    options: HandleOptions,
    run: (payload: never, context: CallContext) => unknown,
  ): () => void {
    return this.handlers.add(handlerSpec(to, options, run, this.options.codec));
  }

  /**
   * A hook around all outgoing calls; the returned function takes it away. The first one added is the outermost.
   * @throws GridError INVALID_ARGUMENT for what would never be called.
   */
  intercept(interceptor: CallInterceptor): () => void {
    verifyInterceptor(interceptor);
    return addHook(this.interceptors, interceptor);
  }

  /**
   * A hook around all handlers, those of events and of calls to this host itself included; the returned function takes
   * it away. The first one added is the outermost.
   * @throws GridError INVALID_ARGUMENT for what is no function.
   */
  interceptHandlers(interceptor: HandlerInterceptor): () => void {
    return this.handlers.intercept(interceptor);
  }

  /**
   * Sends an event to all other hosts (or to `peers`). Each host has its own outcome: one that is away fails alone.
   * Rejects only with INVALID_ARGUMENT, and nothing is sent then: `options` that is no object, `peers` that is no
   * list of hosts of the grid, a `signal` that is none.
   */
  async broadcast(event: Pattern, payload?: unknown, options: FanOutOptions = {}): Promise<Settled<void>[]> {
    return await fanOut(this.called(options), options, (peer, each) => peer.emit(event, payload, each)).all();
  }

  /**
   * Makes one request to all other hosts (or to `peers`) at once; the outcomes come as they come.
   * @throws GridError INVALID_ARGUMENT, and nothing is sent then: `options` that is no object, `peers` that is no
   * list of hosts of the grid, a `signal` that is none. What else goes wrong is the outcome of a host.
   */
  requestAll<Res = unknown>(to: Pattern, payload?: unknown, options?: FanOutOptions): SettledResults<Res>;
  requestAll<C extends RequestContract>(to: C & NeedsPayload<PayloadOf<C>>): SettledResults<unknown>;
  requestAll<C extends RequestContract, V extends boolean = false>(
    to: C,
    ...args: PayloadArgs<PayloadOf<C>, FanOutOptions<V>>
  ): SettledResults<GivenAnswer<C, V>>;
  requestAll(to: Pattern | RequestContract, payload?: unknown, options: FanOutOptions = {}): SettledResults<unknown> {
    return fanOut(this.called(options), options, (peer, each) => peer.request(to as Pattern, payload, each));
  }

  /**
   * Begins: dials the hosts that this one dials, and lets the others in. Once is enough. The promise waits for
   * `waitForPeers`; it rejects with DEADLINE_EXCEEDED when they are not there in time, the grid runs on then, with
   * UNAVAILABLE (reason `closed`) when `close()` ends that wait, and with FAILED_PRECONDITION once it was called.
   */
  start(): Promise<void> {
    // behind the end it fails anew: that it went well once is of no use to who starts a grid again
    if (!this.started || this.closed) {
      // who does not wait for peers need not handle that they are late
      this.started = handled(this.begin());
    }
    return this.started;
  }

  /**
   * Serves the grid's route on a server of somebody else; everything else on it stays as it is. The returned function
   * takes it back.
   * @throws GridError ALREADY_EXISTS where another grid has the same route on this server, FAILED_PRECONDITION once
   * `close()` was called.
   */
  attach(server: Server): () => void {
    this.life.verifyOpen();
    return this.listening.attach(server);
  }

  /** @internal As `attach`, until the server closes: past `close()` the route answers that this host shuts down. */
  attachForGood(server: Server): void {
    this.life.verifyOpen();
    this.listening.attachForGood(server);
  }

  /**
   * Serves the grid's route on a server of its own, at the address of `local` or of the option `listen`. Rejects with
   * FAILED_PRECONDITION when it cannot listen there, and once `close()` was called; where `listen.tls` is a function
   * with what that throws, INVALID_ARGUMENT for what it gives, DEADLINE_EXCEEDED when it gives nothing within 30 s.
   */
  async listen(): Promise<void> {
    this.life.verifyOpen();
    await this.listening.listen();
  }

  /**
   * Takes an open socket that another host dialed, however it got here. It is refused like any other.
   * @throws GridError INVALID_ARGUMENT for what is neither a message socket nor a WebSocket of `ws`.
   */
  incoming(socket: MessageSocket | WebSocket, facts: { readonly remoteAddress?: string } = {}): void {
    const opened = messageSocket(socket, this.sockets);
    const closed = this.life.closedBecause();
    if (closed !== undefined) return this.acceptor.turnAway(opened, closed);
    const entry = this.acceptor.enter(facts.remoteAddress ?? opened.remoteAddress, '');
    if (!entry) return this.acceptor.turnAway(opened, 'too many handshakes are pending');
    void this.acceptor.accept(opened, entry);
  }

  /**
   * Certificates are renewed: asks the functions that stand in `tls` and `listen.tls` again. Connections that stand
   * keep theirs, those that are made from now on, either way, use what the functions gave. Where one of them fails or
   * gives what cannot be used, nothing changes: that is logged, and the promise rejects (nobody has to listen).
   */
  reloadTls(): Promise<void> {
    return this.renewal.tls();
  }

  /**
   * The secret is rotated: asks the function that stands in `auth.secret` again, for all handshakes from now on.
   * Connections that stand stay. Where its answer cannot be used, the secrets before stay: that is logged, too.
   * @throws GridError INVALID_ARGUMENT, FAILED_PRECONDITION where `auth.secret` is no function, or what the function
   * threw.
   */
  reloadSecret(): void {
    this.renewal.secret();
  }

  /**
   * What was counted with each peer since the start, and what is open and waits: a copy, as of now. To ask costs that
   * copy and nothing more.
   */
  stats(): GridStats {
    return { local: this.local, name: this.name, ...this.roster.stats() };
  }

  /**
   * Ends the grid, once and for good: new calls of others are refused, running handlers get `drainTimeoutMs`, then
   * every connection is closed with 1001. When it resolves, no socket, timer or listener of the grid is left.
   */
  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  /** What a log or a debugger shows of the grid: neither keys nor tokens, which its sockets hold. */
  [inspect.custom](): string {
    const peers = this.peers.map(({ origin, state }) => `${origin} ${state}`).join(', ');
    return `${this.constructor.name} { ${this.name}, ${this.local}, ${this.life.stage}, peers: [ ${peers} ] }`;
  }

  /** The same as JSON. */
  toJSON(): { name: string; local: string; life: string; peers: readonly GridPeer[] } {
    return { name: this.name, local: this.local, life: this.life.stage, peers: this.peers };
  }

  /** What starts this grid, in words for who waits for it. */
  protected startAdvice(): string {
    return 'call start()';
  }

  protected host(origin: string): GridPeer {
    return this.roster.peer(origin);
  }

  private async begin(): Promise<void> {
    this.life.begin();
    this.roster.start();
    const { count, timeoutMs } = this.options.waitForPeers;
    if (count > 0) await this.roster.connected(count, timeoutMs);
  }

  private async end(): Promise<void> {
    const ran = this.life.drain();
    const reason = 'this host is shutting down';
    this.roster.retire(reason);
    if (ran) {
      this.told.next({ type: 'draining', peer: undefined, reason });
      const { clock, drainTimeoutMs } = this.options;
      const confirm = (): void => this.roster.confirm();
      if (!(await drained(() => this.busy(), confirm, clock, drainTimeoutMs))) this.tellAborted(drainTimeoutMs);
    }
    this.life.end();
    this.roster.close();
    this.acceptor.close();
    this.gate.close();
    this.inquiry.close(closedGrid());
    await this.listening.close();
    await this.sockets.empty();
    this.told.complete();
  }

  /** Who gives no time at all knows what that does. */
  private tellAborted(timeoutMs: number): void {
    const left = timeoutMs > 0 && leftovers(this.stats(), this.handlers.runningEventNames, this.roster.unheard);
    if (!left) return;
    this.options.logger.warn(`not all ended within drainTimeoutMs (${timeoutMs}), the rest is aborted; ${left}`);
  }

  private busy(): boolean {
    return this.handlers.runningEvents > 0 || this.roster.busy;
  }

  /** The hosts that a call to several goes to. */
  private called(options: FanOutOptions): readonly GridPeer[] {
    verifyIsOptions(options);
    const { peers } = options;
    if (peers === undefined) return this.peers;
    if (Array.isArray(peers)) return peers.map((origin: string) => this.peer(origin));
    const text = `peers is ${shownOption(peers)}; it must be a list of hosts`;
    throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
  }
}
