import {
  Caller,
  HandlerTable,
  isContract,
  resolvePattern,
  type CallContext,
  type Contract,
  type ContractHandler,
  type OutgoingCall,
  type Pattern,
} from '../calls/index.js';
import { handlerSpec } from '../manager/handle-options.js';
import { GridPeer, LocalLink, type GridStats } from '../manager/index.js';
import { Grid } from '../nest/index.js';
import { systemClock, type Clock } from '../time/index.js';
import { FakeLink } from './fake-link.js';

/** What a host answers, by pattern: `{ 60: (payload, context) => … }`. */
export type FakeHandlers = Readonly<Record<number | string, PatternHandler['run']>>;

interface PatternHandler {
  // a method, not a property: then a handler may name the type of its payload, and is given `unknown` where it does not
  run(payload: unknown, context: CallContext): unknown;
}

/** Options of `fakeGrid()`. */
export interface FakeGridOptions {
  /** This process's own origin. Default `http://localhost:1`. */
  readonly local?: string;
  /** Of a grid that has one: it is provided under `getGridToken(name)`. */
  readonly name?: string;
  /** Default: the system's. */
  readonly clock?: Clock;
}

interface FakeHost {
  readonly handlers: HandlerTable;
  readonly link: FakeLink;
  readonly own: LocalLink;
  readonly peer: GridPeer;
  /** Takes away the handler of a pattern. */
  readonly answers: Map<string, () => void>;
}

/**
 * A grid for unit tests, whose other hosts are played by functions. Calls go through codecs, schemas, deadlines and
 * credits as they would go to a real host, but nothing is opened: made with `fakeGrid`, used with
 * `overrideProvider(Grid).useValue(grid)`.
 */
export class FakeGrid extends Grid {
  /** All calls made so far, as the code under test asked for them. */
  readonly calls: OutgoingCall[] = [];
  override readonly peers: readonly GridPeer[];
  /** By origin; not there yet while the base class is made. */
  private readonly hosts: ReadonlyMap<string, FakeHost> | undefined;

  constructor(hosts: Readonly<Record<string, FakeHandlers>>, options: FakeGridOptions = {}) {
    const { local = 'http://localhost:1', clock = systemClock, name } = options;
    const origins = Object.keys(hosts).filter((origin) => origin !== local);
    super({ local, hosts: [local, ...origins], auth: 'none', clock, name, logger: SILENT });
    this.admitCalls();
    this.intercept((call, next) => {
      this.calls.push(call);
      return next(call);
    });
    const { hosts: normalised } = this.options;
    this.hosts = new Map(normalised.map((origin) => [origin, this.hostOf(origin)]));
    this.peers = normalised.filter((origin) => origin !== this.local).map((origin) => this.peer(origin));
    for (const [origin, handlers] of Object.entries(hosts)) {
      for (const [key, run] of Object.entries(handlers))
        this.answer(origin, HANDLER_ID.test(key) ? Number(key) : key, run);
    }
  }

  /** Plays a handler of a host from now on, in place of the one that was there. */
  answer<P = unknown>(origin: string, to: Pattern, run: (payload: P, context: CallContext) => unknown): this;
  // last, for the compiler explains the last overload: what is typed should say what is wrong
  answer<C extends Contract>(origin: string, to: C, run: ContractHandler<C>): this;
  answer(origin: string, to: Pattern | Contract, run: (payload: never, context: CallContext) => unknown): this {
    const { handlers, answers } = this.played(origin);
    const { name } = resolvePattern(isContract(to) ? to.id : to);
    answers.get(name)?.();
    answers.set(name, handlers.add(handlerSpec(to, {}, run, this.options.codec)));
    return this;
  }

  /** The host is away: calls fail with UNAVAILABLE, reason `not-connected`, `notSent`. */
  disconnect(origin: string): void {
    this.played(origin).link.connected = false;
  }

  /** The host is there again. */
  reconnect(origin: string): void {
    this.played(origin).link.connected = true;
  }

  protected override host(origin: string): GridPeer {
    return this.hosts?.get(origin)?.peer ?? super.host(origin);
  }

  override stats(): GridStats {
    const { peers, ...rest } = super.stats();
    const played = peers.map((peer) => {
      const { own, link } = this.played(peer.host);
      const counts = own.stats.counts();
      // a played host makes no calls: what came in there is what went out here
      const handlers = counts.handlers.filter(({ direction }) => direction === 'outgoing');
      return { ...peer, ...counts, handlers, outgoing: own.openCalls.outgoing, state: link.state };
    });
    const { own } = this.played(this.local);
    return { ...rest, peers: played, self: { ...own.stats.counts(), ...own.openCalls } };
  }

  /** There is nothing to start: calls can be made at once. */
  override async start(): Promise<void> {}

  /** Opens nothing. */
  override async listen(): Promise<void> {}

  /** Leaves the server alone. */
  override attach(): () => void {
    return () => {};
  }

  /** @internal */
  override attachForGood(): void {}

  override async close(): Promise<void> {
    for (const { link } of this.hosts?.values() ?? []) link.close();
    await super.close();
  }

  private hostOf(origin: string): FakeHost {
    const { clock, logger, limits, intervals, codec } = this.options;
    // the own host answers with what the code under test registered
    const handlers = origin === this.local ? this.handlers : new HandlerTable({ clock, logger });
    const own = new LocalLink(origin, { clock, limits, intervals, handlers: handlers.for(() => this.local) });
    const link = new FakeLink(own);
    const { interceptors } = this;
    const line = (): ReturnType<FakeLink['line']> => link.line();
    const caller = new Caller({ origin, line, observer: own.stats, codec, clock, logger, interceptors });
    return { handlers, link, own, peer: new GridPeer(link, caller), answers: new Map() };
  }

  private played(origin: string): FakeHost {
    return this.hosts?.get(this.peer(origin).origin) as FakeHost;
  }
}

/**
 * A grid whose other hosts answer what they are told to: `fakeGrid({ 'http://b:9000': { 60: () => ({ free: 1 }) } })`.
 */
export function fakeGrid(hosts: Readonly<Record<string, FakeHandlers>> = {}, options?: FakeGridOptions): FakeGrid {
  return new FakeGrid(hosts, options);
}

/** Keys of an object are strings: this one was a number. */
const HANDLER_ID = /^\d+$/;

const SILENT = { log: () => {}, warn: () => {}, error: () => {} };
