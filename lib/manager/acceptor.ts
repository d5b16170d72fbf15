import type { HandlerTable } from '../calls/index.js';
import {
  acceptHandshake,
  patienceWith,
  type Admission,
  type ConnectionPorts,
  type FrameSocket,
} from '../connection/index.js';
import { GridError, inOneLine, textOf, toGridError } from '../errors/index.js';
import { silentObserver, type ConnectionObserver } from '../observe/index.js';
import { LineBudget } from '../time/index.js';
import { CloseCode, unixMs, type ConnectRequest } from '../wire/index.js';
import { claim } from './claim.js';
import type { GridEvent } from './grid-event.js';
import { HandshakePlaces } from './handshake-places.js';
import type { GridSettings } from './options.js';
import type { PeerLink } from './peer-link.js';
import { refusalKeyOf, type Refusals } from './refusals.js';
import { MOST_SKEW_MS, type TokenAuth } from './token.js';

/** Why a pending handshake is ended before its time. */
const OTHERS_WAIT = 'the place is needed: more handshakes than pendingHandshakes';

export interface AcceptorPorts {
  readonly settings: GridSettings;
  readonly auth: TokenAuth | undefined;
  readonly refusals: Refusals;
  readonly handlers: HandlerTable;
  /** The link to another host; undefined for a name that is not in the list, or our own. */
  readonly link: (host: string) => PeerLink | undefined;
  /** Why nobody is let in now: not started, closing. */
  readonly closedBecause: () => string | undefined;
  readonly connection: Omit<ConnectionPorts, 'observer' | 'handlers' | 'load'>;
  readonly tell: (event: GridEvent) => void;
}

/** An incoming socket on its way in; `release` gives its place among the pending ones back. */
export interface Entry {
  readonly remoteAddress: string | undefined;
  /** Counts refusals: address and host, whose token is proven by then. */
  readonly refusalKey: string;
  /** Mutual TLS: why the certificate that was shown does not stand for the host, undefined where it does. */
  readonly whyNotCertified?: ((host: string) => string | undefined) | undefined;
  /** Aborted when the place goes to another host. */
  readonly signal: AbortSignal;
  release(): void;
}

/** Lets other hosts in: reads their Connect, checks it, answers, and hands the connection to the link of its host. */
export class Acceptor {
  private readonly places: HandshakePlaces;
  private readonly sockets = new Set<FrameSocket>();

  constructor(private readonly ports: AcceptorPorts) {
    const { limits, logger, clock } = ports.settings;
    const { pendingHandshakes: most } = limits;
    const full = `more than pendingHandshakes (${most}) handshakes are pending: some are refused`;
    const budget = new LineBudget(clock);
    this.places = new HandshakePlaces(most, () => budget.spend(full, (line) => logger.warn(line)));
  }

  /** A place among the pending handshakes, or undefined where all are taken. */
  enter(
    remoteAddress: string | undefined,
    claimedHost: string,
    whyNotCertified?: Entry['whyNotCertified'],
  ): Entry | undefined {
    const eviction = new AbortController();
    const refusalKey = refusalKeyOf(remoteAddress, claimedHost);
    const release = this.places.take(refusalKey, () => {
      eviction.abort(new GridError('UNAVAILABLE', OTHERS_WAIT, { reason: 'not-connected' }));
    });
    return release && { remoteAddress, refusalKey, whyNotCertified, signal: eviction.signal, release };
  }

  /** The handshake of one open socket. Never rejects: what fails is told to the peer, and logged, see `Refusals`. */
  async accept(socket: FrameSocket, entry: Entry): Promise<void> {
    const { settings, handlers, connection } = this.ports;
    let link: PeerLink | undefined;
    let refused = false;
    // whose connection it is, is known once it is admitted
    let earlyBytes = 0;
    const early: ConnectionObserver = { ...silentObserver, frameReceived: (bytes) => (earlyBytes += bytes) };
    const admit = async (request: ConnectRequest): Promise<Admission> => {
      const reason = await this.whyNot(request, entry);
      if (reason === undefined) {
        link = this.ports.link(request.host);
        link?.stats.frameReceived(earlyBytes);
        return { accepted: true };
      }
      refused = true;
      this.refuse(entry, reason, request.host);
      return { accepted: false, reason };
    };
    const ports: ConnectionPorts = {
      ...connection,
      handlers: handlers.for(() => link?.peer ?? ''),
      get observer() {
        return link?.stats ?? early;
      },
      get load() {
        return link?.load;
      },
    };
    this.sockets.add(socket);
    try {
      const made = await acceptHandshake(socket, { local: settings.local, admit, signal: entry.signal }, ports);
      link?.adopt(made);
    } catch (foreign) {
      const error = toGridError(foreign);
      // who hung up or said nothing is no stranger yet
      if (!refused && error.code !== 'UNAVAILABLE') this.refuse(entry, error.message, '');
    } finally {
      this.sockets.delete(socket);
      entry.release();
    }
  }

  /**
   * Closes a socket for which there is no time now, with the reason. What its other end sends all the same is kept
   * nowhere, and its goodbye is not waited for long.
   */
  turnAway(socket: FrameSocket, reason: string): void {
    const patience = patienceWith(socket, this.ports.settings.clock);
    const onClose = (): void => {
      patience.cancel();
      this.sockets.delete(socket);
    };
    this.sockets.add(socket);
    socket.listen({ onFrame() {}, onViolation() {}, onClose });
    socket.close(CloseCode.Overloaded, reason);
  }

  /** Drops the sockets whose handshake is not over, and those that were turned away. */
  close(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  /** The checks of wire spec §3, in its order; the text of the first that fails. */
  private async whyNot(request: ConnectRequest, entry: Entry): Promise<string | undefined> {
    const { settings, auth } = this.ports;
    const { host } = request;
    this.verifyOpen();
    const link = this.ports.link(host);
    if (!link) {
      if (host === settings.local) return `host ${claim(host)} is this host's own name`;
      return `host ${claim(host)} is not in the list of ${settings.local}`;
    }
    const skew = unixMs(request.time) - settings.clock.date();
    const skewed = whySkewed(skew);
    if (skewed !== undefined) return skewed;
    try {
      await auth?.verify(request.token, { from: host, to: settings.local });
    } catch (error) {
      return `the token is not valid: ${textOf(error)}`;
    }
    const uncertified = entry.whyNotCertified?.(host);
    if (uncertified !== undefined) return `the certificate does not stand for ${host}: ${uncertified}`;
    if (link.dials) return `${host} must not dial ${settings.local}: ${settings.local} dials ${host}`;
    // the grid may have been closed while the token was looked at
    this.verifyOpen();
    return undefined;
  }

  /** No word about who dials: it is not refused, this host is away. */
  private verifyOpen(): void {
    const closed = this.ports.closedBecause();
    if (closed !== undefined) throw new GridError('UNAVAILABLE', closed, { reason: 'not-connected' });
  }

  /** Counts a refusal, tells of it, and logs it, see `Refusals`. */
  refuse(entry: Pick<Entry, 'remoteAddress' | 'refusalKey'>, reason: string, claimedHost: string): void {
    this.ports.refusals.count(entry.refusalKey);
    this.tellRefused(entry.remoteAddress, reason, claimedHost);
  }

  /** The same for a refusal that others made and that does not count: it may have been no host of a grid at all. */
  tellRefused(remoteAddress: string | undefined, reason: string, claimedHost = ''): void {
    const { refusals, settings, tell, link } = this.ports;
    // a name that is not proven: it is worth telling where it is one of the list
    const claimed = link(claimedHost);
    claimed?.refused(reason);
    const peer = claimed?.peer;
    if (refusals.worthLogging(remoteAddress ?? '')) {
      // an address of version 4 where both versions are listened to
      const address = remoteAddress?.replace(/^::ffff:/, '') ?? 'an unknown address';
      const name = peer === undefined || reason.includes(peer) ? '' : `, which says it is ${peer}`;
      settings.logger.warn(`refused a connection from ${address}${name}: ${inOneLine(reason)}`);
    }
    tell({ type: 'refused', direction: 'incoming', peer, remoteAddress, reason });
  }
}

/** The words for clocks that differ too much. */
export function whySkewed(skewMs: number): string | undefined {
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return undefined;
  const seconds = Math.round(Math.abs(skewMs) / 1_000);
  const way = skewMs > 0 ? 'ahead of' : 'behind';
  return `your clock is ${seconds} s ${way} ours; at most ${MOST_SKEW_MS / 1_000} s are allowed`;
}
