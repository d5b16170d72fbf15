import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer, type ServerOptions } from 'node:https';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { GridError } from '../errors/index.js';
import { LineBudget } from '../time/index.js';
import { hostnameOf, portOf } from './hosts.js';
import type { Inquiry } from './inquiry.js';
import type { GridSettings, ListenOptions, ListenTls } from './options.js';
import { OLDEST_TLS, secureContextOf } from './tls-context.js';
import { UnaskedSockets } from './unasked-sockets.js';

/** So many times `pendingHandshakes` connections may have asked for nothing: a silent one costs some kilobytes. */
const SOCKETS_PER_HANDSHAKE = 8;

type ListenerSettings = Pick<GridSettings, 'local' | 'limits' | 'logger' | 'clock'>;

/** Asks the `SNICallback` of the newest TLS options: a server keeps the one that it was made with. */
class ByName {
  newest: ServerOptions['SNICallback'] = undefined;

  readonly ask: NonNullable<ServerOptions['SNICallback']> = (name, done) => {
    if (this.newest) this.newest(name, done);
    else done(null);
  };
}

/** The HTTP server of a grid that has no other one to share. It serves the grid's WebSockets and nothing else. */
export class OwnListener {
  // Node's server keeps its private key as it got it: not for who prints the grid
  readonly #server: Server;
  readonly #tls: ListenTls | undefined;
  readonly #byName: ByName;
  /** Those at their TLS handshake, which the server does not know yet, among them. */
  readonly #unasked: UnaskedSockets;

  private constructor(
    server: Server,
    tls: ListenTls | undefined,
    byName: ByName,
    private readonly inquiry: Inquiry,
    unasked: UnaskedSockets,
  ) {
    this.#server = server;
    this.#tls = tls;
    this.#byName = byName;
    this.#unasked = unasked;
    server.on('connection', (socket: Socket) => unasked.add(socket));
    server.on('secureConnection', (socket: Socket) => unasked.secured(socket));
  }

  /**
   * Listens on the address of `local`, or what `listen` says instead. Rejects with FAILED_PRECONDITION when it cannot,
   * for example because the port is taken, with INVALID_ARGUMENT for TLS options that cannot be used, and with what the
   * inquiry says where a function does not give them, or when that is closed meanwhile.
   * Connections that have not sent a whole request by `handshakeMs`, or nothing at all, are closed.
   */
  static async open(settings: ListenerSettings, listen: ListenOptions, inquiry: Inquiry): Promise<OwnListener> {
    const { local, limits, logger, clock } = settings;
    const { handshakeMs: requestMs, pendingHandshakes } = limits;
    const url = new URL(local);
    const host = listen.host ?? hostnameOf(url);
    const port = listen.port ?? portOf(url);
    const patience = {
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      // how often Node looks
      connectionsCheckingInterval: Math.min(requestMs, 1_000),
    };
    const tls = listen.tls && (await asked(listen.tls, inquiry));
    const byName = new ByName();
    byName.newest = tls?.SNICallback;
    const server = tls
      ? createHttpsServer({ ...patience, handshakeTimeout: requestMs, ...tls, SNICallback: byName.ask })
      : createHttpServer(patience);
    // nothing else is served: who asks for it need not ask twice
    server.on('request', (_request, response) => response.writeHead(404, { connection: 'close' }).end());
    server.listen({ host, port });
    try {
      await once(server, 'listening', { signal: inquiry.closed });
    } catch (error) {
      // a name that is looked up for long: the question cannot be taken back, and its answer is for nobody
      server.on('error', () => {}).once('listening', () => server.close());
      if (inquiry.closed.aborted) throw inquiry.closed.reason;
      throw new GridError('FAILED_PRECONDITION', whyNot(host, port, error as NodeJS.ErrnoException), { cause: error });
    }
    const most = SOCKETS_PER_HANDSHAKE * pendingHandshakes;
    const full = `more than ${most} connections have not asked for anything: the oldest are closed`;
    const budget = new LineBudget(clock);
    const unasked = new UnaskedSockets(most, () => budget.spend(full, (line) => logger.warn(line)));
    return new OwnListener(server, listen.tls, byName, inquiry, unasked);
  }

  get server(): Server {
    return this.#server;
  }

  /** An upgrade request of this connection has come. */
  asked(socket: Socket): void {
    this.#unasked.asked(socket);
  }

  /** Whether there is somebody to ask for other TLS options. */
  get renewable(): boolean {
    return typeof this.#tls === 'function';
  }

  /**
   * Asks a function for its TLS options again; what is returned puts them in the place of those before, for connections
   * that come from then on. Whether the listener asks for certificates stays as it was.
   */
  async renewed(): Promise<() => void> {
    if (typeof this.#tls !== 'function') return () => {};
    const options = await asked(this.#tls, this.inquiry);
    return () => {
      (this.#server as HttpsServer).setSecureContext(options);
      this.#byName.newest = options.SNICallback;
    };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    this.#unasked.close();
    await closed;
  }
}

async function asked(tls: ListenTls, inquiry: Inquiry): Promise<ServerOptions> {
  const isFunction = typeof tls === 'function';
  const options: ServerOptions = isFunction ? await inquiry.ask('listen.tls', tls) : tls;
  verifyListenTls(isFunction ? 'the result of listen.tls()' : 'listen.tls', options);
  return { ...options, minVersion: options.minVersion ?? OLDEST_TLS };
}

/** @throws GridError INVALID_ARGUMENT for options with which no handshake could succeed, or an unsafe one. */
export function verifyListenTls(option: string, tls: unknown): void {
  secureContextOf(option, tls);
  const { cert, pfx, SNICallback, pskCallback } = tls as ServerOptions;
  if ([cert, pfx, SNICallback, pskCallback].every((part) => part === undefined)) {
    throw new GridError('INVALID_ARGUMENT', `${option} has no certificate: give cert and key, or pfx`);
  }
}

function whyNot(host: string, port: number, error: NodeJS.ErrnoException): string {
  const where = `cannot listen on ${host} port ${port}`;
  if (error.code === 'EADDRINUSE') return `${where}: the port is taken`;
  if (error.code === 'EACCES') return `${where}: this process may not use the port`;
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    const advice = 'name the one to listen on with the option listen';
    return `${where}: this machine has no such address; ${advice} (${error.message})`;
  }
  return `${where}: ${error.message}`;
}
