import { Caller, type CallInterceptor, type HandlerTable } from '../calls/index.js';
import { GridError } from '../errors/index.js';
import type { Mux } from '../mux/index.js';
import { connectedPeers } from './connected-peers.js';
import type { Dialing } from './dialing.js';
import { isBusy, isUnheard } from './drain.js';
import type { GridEvent } from './grid-event.js';
import { GridPeer } from './grid-peer.js';
import { statusOf, type GridStats } from './grid-stats.js';
import { list } from './hosts.js';
import { LinkLog } from './link-log.js';
import { LocalLink } from './local-link.js';
import type { GridSettings } from './options.js';
import { PeerLink } from './peer-link.js';
import type { StartWatch } from './start-watch.js';
import { WatchedLink } from './watched-link.js';
import { localDials } from './who-dials.js';

export interface RosterPorts {
  readonly settings: GridSettings;
  readonly dialing: Dialing;
  readonly handlers: HandlerTable;
  /** Hooks around outgoing calls; looked at for each. */
  readonly interceptors: readonly CallInterceptor[];
  readonly tell: (event: GridEvent) => void;
  /** Looks at those who wait for a connection before the start. */
  readonly watch: StartWatch;
}

/** The hosts of the list, this one included: a link to each, and what the application calls it by. */
export class Roster {
  /** All other hosts, in the order of the list. */
  readonly peers: readonly GridPeer[];
  private readonly own: LocalLink;
  private readonly links = new Map<string, PeerLink>();
  private readonly byOrigin = new Map<string, GridPeer>();

  constructor(private readonly ports: RosterPorts) {
    const { settings, dialing, handlers, interceptors, tell } = ports;
    const { local, hosts, clock, limits, intervals, logger, codec } = settings;
    const ownLog = new LinkLog(logger, clock, local);
    this.own = new LocalLink(local, { clock, log: ownLog, limits, intervals, handlers: handlers.for(() => local) });
    for (const host of hosts) {
      if (host === local) continue;
      const log = new LinkLog(logger, clock, host);
      const dial = dialing.dial.bind(dialing, host);
      const link = { local, clock, intervals, log, dial, tell, heldBytes: limits.heldBytes };
      this.links.set(host, new PeerLink(host, localDials(local, host), link));
    }
    for (const link of [this.own, ...this.links.values()]) {
      const line = (): Mux => link.line();
      const origin = link.peer;
      const caller = new Caller({ origin, line, observer: link.stats, codec, clock, logger, interceptors });
      this.byOrigin.set(link.peer, new GridPeer(new WatchedLink(link, ports.watch), caller));
    }
    this.peers = [...this.links.keys()].map((host) => this.peer(host));
  }

  /** A host of the list, `local` included. @throws GridError INVALID_ARGUMENT for any other name. */
  peer(origin: string): GridPeer {
    const peer = this.byOrigin.get(origin);
    if (peer) return peer;
    const text = `${String(origin)} is not one of the hosts (${list(this.ports.settings.hosts)})`;
    throw new GridError('INVALID_ARGUMENT', text, { peer: String(origin), notSent: true });
  }

  /** The link to another host; undefined for a name that is not in the list, or our own. */
  link(host: string): PeerLink | undefined {
    return this.links.get(host);
  }

  /** Calls are open, answers wait to be written, or a peer may not have heard of the drain. */
  get busy(): boolean {
    return isBusy(this.own.openCalls, [...this.links.values()]);
  }

  /** Hosts that may not have heard of the drain. */
  get unheard(): readonly string[] {
    return [...this.links.values()].filter(isUnheard).map(({ peer }) => peer);
  }

  stats(): Pick<GridStats, 'peers' | 'self'> {
    return { peers: [...this.links.values()].map(statusOf), self: this.own.counts() };
  }

  start(): void {
    this.own.start();
    for (const link of this.links.values()) link.start();
  }

  /** Resolves when so many of the others were connected; rejects when one was waited for too long. */
  connected(count: number, timeoutMs: number | undefined): Promise<void> {
    return connectedPeers([...this.links.values()], count, timeoutMs);
  }

  /** No further connection is wanted, and the others are told. */
  retire(reason: string): void {
    for (const link of this.links.values()) link.retire(reason);
  }

  /** Asks the others whether they have all that was sent: `busy` until they answer. */
  confirm(): void {
    for (const { connection } of this.links.values()) connection?.confirm();
  }

  close(): void {
    for (const link of this.links.values()) link.close();
    this.own.close();
  }
}
