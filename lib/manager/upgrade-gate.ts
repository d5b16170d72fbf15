import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { decodeJwt } from 'jose/jwt/decode';
import { WebSocketServer, type ServerOptions } from 'ws';
import { wsSocket } from '../connection/index.js';
import { textOf } from '../errors/index.js';
import { LineBudget } from '../time/index.js';
import { whySkewed, type Acceptor } from './acceptor.js';
import { claim } from './claim.js';
import { certifiedBy, whyNotSafe } from './dialer-certificate.js';
import { allowHandshake } from './handshake-allowance.js';
import { HandshakePlaces } from './handshake-places.js';
import type { OpenSockets } from './open-sockets.js';
import type { GridSettings } from './options.js';
import { refusalKeyOf, type Refusals } from './refusals.js';
import type { TokenAuth } from './token.js';
import { answerUpgrade } from './upgrade-router.js';
import { WS_OPTIONS } from './ws-options.js';

export interface UpgradeGatePorts {
  readonly settings: GridSettings;
  readonly auth: TokenAuth | undefined;
  readonly refusals: Refusals;
  readonly acceptor: Acceptor;
  readonly sockets: OpenSockets;
  /** Why nobody is let in now: not started, closing. */
  readonly closedBecause: () => string | undefined;
}

/** What a request says of who sends it. Nothing of it is proven but the address. */
interface Claim {
  readonly token: string;
  /** The host of the list that the token names; empty: none. */
  readonly claimedHost: string;
  readonly remoteAddress: string | undefined;
  /**
   * Whose refusals count together while nothing is proven: the address alone. Under a claimed name strangers would lock
   * out the host of that name.
   */
  readonly refusalKey: string;
}

/** Looks at the upgrade requests of the grid's route before they become WebSockets (wire spec §1). */
export class UpgradeGate {
  private readonly server: WebSocketServer;
  /** Sockets whose token is being looked at. */
  private readonly waiting = new Set<Duplex>();
  /**
   * Places of those whose token is looked at, as many as for the handshakes that follow: who has no token takes none of
   * these.
   */
  private readonly places: HandshakePlaces;

  constructor(private readonly ports: UpgradeGatePorts) {
    const { limits, logger, clock } = ports.settings;
    const { pendingHandshakes: most } = limits;
    const full = `more than pendingHandshakes (${most}) tokens are looked at: some are refused`;
    const budget = new LineBudget(clock);
    this.places = new HandshakePlaces(most, () => budget.spend(full, (line) => logger.warn(line)));
    this.server = new WebSocketServer({
      ...WS_OPTIONS,
      noServer: true,
      clientTracking: false,
      maxPayload: limits.frameBytes,
      // none is spoken (wire spec §1); `ws` would agree to the first that is offered
      handleProtocols: () => false,
    } satisfies ServerOptions);
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { remoteAddress } = request.socket;
    // time limits of the HTTP server are not for a socket that stays; the handshake has its own
    if (socket instanceof Socket) socket.setTimeout(0);
    const closed = this.ports.closedBecause();
    if (closed !== undefined) return answerUpgrade(socket, 503, closed);
    const token = bearerOf(request);
    const claimedHost = this.claimedHost(token);
    const claimed: Claim = { token, claimedHost, remoteAddress, refusalKey: refusalKeyOf(remoteAddress) };
    const foreign = this.whyForeign(request);
    if (foreign !== undefined) return this.refuse(socket, 403, foreign, claimed);
    // any other token is looked at first: behind the address of strangers there may be a host
    if (this.namesNobody(claimed) && this.ports.refusals.tooMany(claimed.refusalKey)) return this.tooMany(socket);
    const evicted = (): void => answerUpgrade(socket, 503, this.full());
    const release = this.places.take(remoteAddress ?? '', evicted, claimedHost);
    if (!release) return answerUpgrade(socket, 503, this.full());
    socket.once('close', release);
    void this.check(request, socket, head, claimed).finally(release);
  }

  /** Drops the requests that are not answered yet. */
  close(): void {
    for (const socket of this.waiting) socket.destroy();
    this.server.close();
  }

  private full(): string {
    return `more than ${this.ports.settings.limits.pendingHandshakes} handshakes are pending`;
  }

  private tooMany(socket: Duplex): void {
    const { refusedPerMinute } = this.ports.settings.limits;
    answerUpgrade(socket, 429, `refused more than ${refusedPerMinute} times in this minute`);
  }

  /** One of too many costs neither a line nor an event. */
  private refuse(socket: Duplex, status: 401 | 403, reason: string, claimed: Claim): void {
    if (this.ports.refusals.tooMany(claimed.refusalKey)) return this.tooMany(socket);
    this.ports.acceptor.refuse(claimed, reason, claimed.claimedHost);
    answerUpgrade(socket, status, reason);
  }

  private async check(request: IncomingMessage, socket: Duplex, head: Buffer, claimed: Claim): Promise<void> {
    const { settings, acceptor, sockets, refusals } = this.ports;
    const drop = (): void => void socket.destroy();
    socket.on('error', drop);
    this.waiting.add(socket);
    const timer = settings.clock.setTimer(settings.limits.handshakeMs, drop);
    const looked = (): void => {
      timer.cancel();
      this.waiting.delete(socket);
    };
    // a check that never ends must keep neither timer nor socket
    socket.once('close', looked);
    const reason = await this.whyNot(request, claimed.token);
    looked();
    // too late, or another took its place
    if (!socket.writable) return;
    if (reason !== undefined) return this.refuse(socket, 401, reason, claimed);
    // from here on the name is proven, as far as a token proves it: the host's own refusals count for it
    const { remoteAddress, claimedHost: host } = claimed;
    if (refusals.tooMany(refusalKeyOf(remoteAddress, host))) return this.tooMany(socket);
    const entry = acceptor.enter(remoteAddress, host, certifiedBy(request.socket));
    if (!entry) return answerUpgrade(socket, 503, this.full());
    socket.once('close', () => entry.release());
    this.server.handleUpgrade(request, socket, head, (ws) => {
      socket.off('error', drop);
      sockets.add(ws);
      const below = { stream: socket, masks: false, maxBytes: settings.limits.frameBytes };
      const admitted = acceptor.accept(wsSocket(ws, entry.remoteAddress, below), entry);
      void admitted.finally(allowHandshake(ws, socket, (excess) => acceptor.refuse(entry, excess, host)));
    });
  }

  /** Browsers send an origin, hosts do not: a page must not open sockets in the name of its reader. */
  private whyForeign({ headers }: IncomingMessage): string | undefined {
    // version 8 of WebSocket, which `ws` still speaks, had another name for it
    const origin = headers.origin ?? headers['sec-websocket-origin'];
    if (origin === undefined) return undefined;
    const shown = String(origin);
    if (this.ports.settings.allowedOrigins.includes(shown)) return undefined;
    return `the origin ${claim(shown)} is not one of allowedOrigins`;
  }

  private async whyNot(request: IncomingMessage, token: string): Promise<string | undefined> {
    const { settings, auth } = this.ports;
    const unsafe = whyNotSafe(request.socket);
    if (unsafe !== undefined) return unsafe;
    const time = request.headers['x-minio-time'];
    if (time !== undefined) {
      const ms = typeof time === 'string' ? timeOf(time) : undefined;
      if (ms === undefined) return 'X-Minio-Time is neither unix nanoseconds nor a time of RFC 3339';
      const skewed = whySkewed(ms - settings.clock.date());
      if (skewed !== undefined) return skewed;
    }
    if (!auth) return undefined;
    if (token === '') return 'there is no token: an Authorization header with "Bearer" is needed';
    try {
      await auth.verify(token, { from: undefined, to: settings.local });
      return undefined;
    } catch (error) {
      return `the token is not valid: ${textOf(error)}`;
    }
  }

  /** No look at the token could prove anything. */
  private namesNobody({ token, claimedHost }: Claim): boolean {
    const { auth } = this.ports.settings;
    if (auth === 'none') return false;
    return auth === 'secret' ? claimedHost === '' : token === '';
  }

  /** The host of the list that the token names, unproven; where no token is looked at, none. */
  private claimedHost(token: string): string {
    if (!this.ports.auth) return '';
    try {
      const { iss = '' } = decodeJwt(token);
      return this.ports.settings.hosts.includes(iss) ? iss : '';
    } catch {
      // what is no token names nobody; why it is refused is told all the same
      return '';
    }
  }
}

function bearerOf(request: IncomingMessage): string {
  const [, token = ''] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
  return token;
}

/** Unix milliseconds of unix nanoseconds, or of a time of RFC 3339 (older peers). */
function timeOf(header: string): number | undefined {
  if (/^-?\d{1,19}$/.test(header)) return Number(BigInt(header) / 1_000_000n);
  if (!/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/.test(header)) return undefined;
  const ms = Date.parse(
    header
      .replace(/(\.\d{3})\d+/, '$1')
      .replace(' ', 'T')
      .toUpperCase(),
  );
  return Number.isNaN(ms) ? undefined : ms;
}
