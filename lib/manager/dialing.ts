import type { WebSocket } from 'ws';
import type { HandlerTable } from '../calls/index.js';
import {
  dialHandshake,
  guardedSocket,
  wsSocket,
  type Connection,
  type ConnectionPorts,
  type FrameSocket,
  type MessageSocket,
} from '../connection/index.js';
import { GridError } from '../errors/index.js';
import type { PeerLoad } from '../mux/index.js';
import { Attempt } from './attempt.js';
import type { DialTlsSource } from './dial-tls.js';
import { hostnameOf } from './hosts.js';
import { kindOf } from './kind-of.js';
import { Lookups } from './lookups.js';
import type { OpenSockets } from './open-sockets.js';
import type { GridSettings } from './options.js';
import type { PeerStats } from './peer-stats.js';
import type { TokenAuth } from './token.js';
import { dialWebSocket } from './ws-dialer.js';

/**
 * So many addresses of one host fit the time of an attempt, of attempts in a row that fail: a slow network needs the
 * time of the first, a host whose first addresses do not answer the number of the last.
 */
const ADDRESSES = [2, 4, 8] as const;
/** What each socket has that can be taken. */
const METHODS = ['send', 'close', 'terminate'] as const;

/** Makes connections: a fresh token, a socket, the handshake. */
export class Dialing {
  private readonly lookups: Lookups;
  /** WebSockets to each peer that did not open, since the last one that did. */
  private readonly failed = new Map<string, number>();

  constructor(
    private readonly settings: GridSettings,
    private readonly auth: TokenAuth | undefined,
    private readonly tls: DialTlsSource,
    private readonly ports: Omit<ConnectionPorts, 'observer' | 'handlers' | 'load'>,
    private readonly handlers: HandlerTable,
    private readonly sockets: OpenSockets,
  ) {
    this.lookups = new Lookups(settings.clock);
  }

  /**
   * One attempt. Rejects with a GridError; no socket is left then.
   * @param onGreeting The socket is open: Connect follows in the same turn.
   */
  async dial(
    peer: string,
    signal: AbortSignal,
    stats: PeerStats,
    load: PeerLoad,
    onGreeting: () => void,
  ): Promise<Connection> {
    const { local } = this.settings;
    const attempt = this.bounded(signal, peer);
    let token: string;
    let socket: FrameSocket;
    try {
      token = this.auth ? verifiedToken(await attempt.race(this.auth.sign({ from: local, to: peer }))) : '';
      socket = await this.open(peer, token, attempt);
    } finally {
      attempt.end();
    }
    onGreeting();
    return await dialHandshake(
      socket,
      { local, remote: peer, token, signal },
      {
        ...this.ports,
        handlers: this.handlers.for(() => peer),
        observer: stats,
        load,
      },
    );
  }

  private async open(peer: string, token: string, attempt: Attempt): Promise<FrameSocket> {
    const { settings } = this;
    if (settings.dialer) {
      const opening = settings.dialer(peer, attempt.signal);
      return messageSocket(await attempt.race(opening, (late) => late.terminate()), this.sockets);
    }
    const tls = await attempt.race(this.tls.options());
    const failed = this.failed.get(peer) ?? 0;
    this.failed.set(peer, failed + 1);
    const socket = await dialWebSocket({
      peer,
      token,
      tls,
      route: settings.route,
      dateMs: settings.clock.date(),
      frameBytes: settings.limits.frameBytes,
      signal: attempt.signal,
      sockets: this.sockets,
      lookup: this.lookups.lookup,
      addressMs: Math.ceil(settings.intervals.dialTimeoutMs / ADDRESSES[failed % ADDRESSES.length]!),
    });
    this.failed.delete(peer);
    return socket;
  }

  /** What happens up to the open socket ends after `intervals.dialTimeoutMs`, or when nobody wants it any more. */
  private bounded(outer: AbortSignal, peer: string): Attempt {
    const { clock, intervals } = this.settings;
    const timeoutMs = intervals.dialTimeoutMs;
    const late = (): GridError => {
      // it may fail so for ever: a name server that gives up later than a dial is never heard
      const still = this.lookups.pending(hostnameOf(new URL(peer))) ? ': its name is still looked up' : '';
      const text = `no answer within ${timeoutMs} ms${still}`;
      return new GridError('UNAVAILABLE', text, { peer, reason: 'not-connected' });
    };
    return new Attempt({ clock, timeoutMs, late, outer });
  }
}

/** What `sign` of the application gave, which is not told: it may be half of a token. */
function verifiedToken(token: unknown): string {
  if (typeof token === 'string') return token;
  throw new GridError('INVALID_ARGUMENT', `auth.sign() gave ${kindOf(token)}; it must give a string`);
}

/**
 * Takes a socket from elsewhere: one that speaks our port already, or a WebSocket of `ws`.
 * @throws GridError INVALID_ARGUMENT for anything else: a socket of Node, a browser's WebSocket.
 */
export function messageSocket(socket: MessageSocket | WebSocket, sockets: OpenSockets): FrameSocket {
  const given: Partial<Pick<MessageSocket, (typeof METHODS)[number]>> | undefined = socket;
  const missing = METHODS.find((method) => typeof given?.[method] !== 'function');
  if (missing !== undefined) {
    const what = `${kindOf(socket)} without ${missing}()`;
    const text = `the socket is ${what}; it must be a MessageSocket or a WebSocket of ws`;
    throw new GridError('INVALID_ARGUMENT', text);
  }
  if ('listen' in socket) return guardedSocket(socket);
  sockets.add(socket);
  return guardedSocket(wsSocket(socket));
}
