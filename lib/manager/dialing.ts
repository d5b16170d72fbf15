import type { WebSocket } from 'ws';
import type { HandlerTable } from '../calls/index.js';
import {
  dialHandshake,
  wsSocket,
  type Connection,
  type ConnectionPorts,
  type MessageSocket,
} from '../connection/index.js';
import { GridError } from '../errors/index.js';
import { AwakeTimer } from '../time/index.js';
import type { DialTlsSource } from './dial-tls.js';
import type { OpenSockets } from './open-sockets.js';
import type { GridSettings } from './options.js';
import type { PeerStats } from './peer-stats.js';
import type { TokenAuth } from './token.js';
import { dialWebSocket } from './ws-dialer.js';

/** Makes connections: a fresh token, a socket, the handshake. */
export class Dialing {
  constructor(
    private readonly settings: GridSettings,
    private readonly auth: TokenAuth | undefined,
    private readonly tls: DialTlsSource,
    private readonly ports: Omit<ConnectionPorts, 'observer' | 'handlers'>,
    private readonly handlers: HandlerTable,
    private readonly sockets: OpenSockets,
  ) {}

  /** One attempt. Rejects with a GridError; no socket is left then. */
  async dial(peer: string, signal: AbortSignal, stats: PeerStats): Promise<Connection> {
    const { local } = this.settings;
    const attempt = this.bounded(signal, peer);
    let token: string;
    let socket: MessageSocket;
    try {
      token = this.auth ? await attempt.race(this.auth.sign({ from: local, to: peer })) : '';
      socket = await this.open(peer, token, attempt);
    } finally {
      attempt.end();
    }
    return await dialHandshake(
      socket,
      { local, remote: peer, token, signal },
      {
        ...this.ports,
        handlers: this.handlers.for(() => peer),
        observer: stats,
      },
    );
  }

  private async open(peer: string, token: string, attempt: Attempt): Promise<MessageSocket> {
    const { settings } = this;
    if (settings.dialer) {
      const opening = settings.dialer(peer, attempt.signal);
      return messageSocket(await attempt.race(opening, (late) => late.terminate()), this.sockets);
    }
    const tls = await attempt.race(this.tls.options());
    return await dialWebSocket({
      peer,
      token,
      tls,
      route: settings.route,
      dateMs: settings.clock.date(),
      frameBytes: settings.limits.frameBytes,
      signal: attempt.signal,
      sockets: this.sockets,
    });
  }

  /** What happens up to the open socket ends after `intervals.dialTimeoutMs`, or when nobody wants it any more. */
  private bounded(outer: AbortSignal, peer: string): Attempt {
    const { clock, intervals } = this.settings;
    const controller = new AbortController();
    const forward = (): void => controller.abort(outer.reason);
    outer.addEventListener('abort', forward, { once: true });
    if (outer.aborted) forward();
    const timer = new AwakeTimer(clock, intervals.dialTimeoutMs, () => {
      const text = `no answer within ${intervals.dialTimeoutMs} ms`;
      controller.abort(new GridError('UNAVAILABLE', text, { peer, reason: 'not-connected' }));
    });
    return {
      signal: controller.signal,
      end: () => {
        timer.cancel();
        outer.removeEventListener('abort', forward);
      },
      race: (work, dropLate) => race(work, controller.signal, dropLate),
    };
  }
}

interface Attempt {
  readonly signal: AbortSignal;
  /** Stops the clock. */
  end(): void;
  /** The work's result, or the abort, whichever is first; what comes after the abort is given to `dropLate`. */
  race<T>(work: T | Promise<T>, dropLate?: (late: T) => void): Promise<T>;
}

async function race<T>(work: T | Promise<T>, signal: AbortSignal, dropLate?: (late: T) => void): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    if (signal.aborted)
      Promise.resolve(work).then(
        (late) => dropLate?.(late),
        () => {},
      );
    throw error;
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

/** Takes a socket from elsewhere: one that speaks our port already, or a WebSocket of `ws`. */
export function messageSocket(socket: MessageSocket | WebSocket, sockets: OpenSockets): MessageSocket {
  if ('listen' in socket) return socket;
  sockets.add(socket);
  return wsSocket(socket);
}
