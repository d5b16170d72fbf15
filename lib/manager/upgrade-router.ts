import { Buffer } from 'node:buffer';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { GridError } from '../errors/index.js';

/** Takes an upgrade request over: answers it, or ends the socket. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** How a server tells its listeners of an event. */
type Emit = (event: string, ...args: unknown[]) => boolean;

/** By this newer servers, of Node 22 on, decide which requests are upgrades: by default all, if anybody listens. */
interface AskingServer {
  shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
}

/** A server serves upgrade requests as plain ones while nobody listens to them. */
const present = (): void => {};

const routers = new WeakMap<Server, UpgradeRouter>();

/**
 * Gives upgrade requests of one path of the server to `handler`; the returned function takes it back. Everything else
 * on the server stays as it was: other listeners get their upgrades, without one a WebSocket is answered with 404 and
 * any other upgrade request (h2c) is served as the plain request that it also is.
 * @throws GridError ALREADY_EXISTS for a path that another grid took on this server.
 */
export function routeUpgrades(server: Server, path: string, handler: UpgradeHandler): () => void {
  let router = routers.get(server);
  if (!router) routers.set(server, (router = new UpgradeRouter(server)));
  return router.add(path, handler);
}

/**
 * Stands in the server's `emit`. A listener alone does not do: frameworks destroy the sockets of each path that they do
 * not know, whichever listener came first.
 */
class UpgradeRouter {
  private readonly handlers = new Map<string, UpgradeHandler>();
  private restore: (() => void) | undefined = undefined;

  constructor(private readonly server: Server) {}

  add(path: string, handler: UpgradeHandler): () => void {
    if (this.handlers.has(path)) {
      throw new GridError('ALREADY_EXISTS', `two grids on one server have the route ${path}; give one of them another`);
    }
    this.handlers.set(path, handler);
    this.restore ??= this.stand();
    return () => {
      if (this.handlers.get(path) !== handler) return;
      this.handlers.delete(path);
      if (this.handlers.size > 0) return;
      this.restore?.();
      this.restore = undefined;
    };
  }

  private stand(): () => void {
    const { server } = this;
    const own = Object.getOwnPropertyDescriptor(server, 'emit');
    const emit: Emit = server.emit.bind(server);
    const unasked = this.beAsked();
    let standing = true;
    const routed: Emit = (event, ...args) => {
      if (standing && event === 'upgrade') {
        const [request, socket, head] = args as [IncomingMessage, Duplex, Buffer];
        if (this.take(request, socket, head)) return true;
      }
      return emit(event, ...args);
    };
    server.emit = routed;
    return () => {
      standing = false;
      unasked();
      // somebody who wrapped it after us still calls ours, which then only passes on
      if (server.emit !== routed) return;
      if (own) Object.defineProperty(server, 'emit', own);
      else Reflect.deleteProperty(server, 'emit');
    };
  }

  /** Has the server take for upgrades what is one for this router; the returned function ends that. */
  private beAsked(): () => void {
    const { server } = this;
    const asking: Server & AskingServer = server;
    const { shouldUpgradeCallback: before } = asking;
    server.on('upgrade', present);
    if (!before) return () => server.off('upgrade', present);
    const asked = (request: IncomingMessage): boolean =>
      this.isOurs(request) || (this.hasListeners() && before.call(server, request));
    asking.shouldUpgradeCallback = asked;
    return () => {
      server.off('upgrade', present);
      // as for `emit`: what wraps ours goes on to call it
      if (asking.shouldUpgradeCallback === asked) asking.shouldUpgradeCallback = before;
    };
  }

  /** A WebSocket of a path that is routed here, or one that nobody else will answer. */
  private isOurs(request: IncomingMessage): boolean {
    if (!isWebSocket(request) || this.handlers.size === 0) return false;
    return this.handlers.has(pathOf(request)) || !this.hasListeners();
  }

  /** True iff the request is dealt with here. */
  private take(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const handler = this.handlers.get(pathOf(request));
    const webSocket = isWebSocket(request);
    if (handler && webSocket) {
      handler(request, socket, head);
      return true;
    }
    if (this.hasListeners()) return false;
    if (webSocket) answerUpgrade(socket, 404, 'no WebSocket is served here');
    else this.serveAsPlain(request, socket, head);
    return true;
  }

  private hasListeners(): boolean {
    return this.server.listeners('upgrade').some((listener) => listener !== present);
  }

  /** Where the server does not ask: has it read the request again, without the headers that made it an upgrade. */
  private serveAsPlain(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
    for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
      const [name = '', value = ''] = request.rawHeaders.slice(i, i + 2);
      const kept = keptValue(name.toLowerCase(), value);
      if (kept !== '') lines.push(`${name}: ${kept}`);
    }
    socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
    // Node's documented way to give a server a connection; that of an https server is the decrypted one
    this.server.emit('setSecureContext' in this.server ? 'secureConnection' : 'connection', socket);
  }
}

/** Of a target in absolute form, too, as some proxies send it (RFC 9112 §3.2.2). */
function pathOf({ url = '' }: IncomingMessage): string {
  return url.replace(/^\w+:\/\/[^/?]*/, '').split('?', 1)[0] || '/';
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** The value without its words about the upgrade; empty: the header goes. */
function keptValue(name: string, value: string): string {
  if (name === 'upgrade' || name === 'http2-settings') return '';
  if (name !== 'connection') return value;
  const words = value.split(',').map((word) => word.trim());
  return words.filter((word) => !/^(upgrade|http2-settings)$/i.test(word)).join(', ');
}

const STATUS = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
} as const satisfies Readonly<Record<number, string>>;

/** Answers an upgrade request with a status and a reason in words, then closes. */
export function answerUpgrade(socket: Duplex, status: keyof typeof STATUS, reason: string): void {
  const body = Buffer.from(reason);
  const head = [
    `HTTP/1.1 ${status} ${STATUS[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
  ].join('\r\n');
  socket.once('finish', () => socket.destroy());
  // who hangs up before the answer has its answer
  socket.on('error', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]));
}
