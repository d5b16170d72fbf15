import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

const LOOPBACK = '127.0.0.1';
/** More than any request for an upgrade has. */
const HEAD_BYTES = 16_384;

/** Which connection of which grid it is. */
export interface LinkEnds {
  /** Number of the node that dialed, -1 when it did not say. */
  readonly from: number;
  readonly to: number;
  /** Path of the WebSocket. */
  readonly route: string;
}

/** One connection through a proxy. */
export class ProxiedLink {
  private stalled = { there: false, back: false };
  private over = false;

  constructor(
    readonly ends: LinkEnds,
    private readonly dialer: Socket,
    private readonly acceptor: Socket,
    private readonly onOver: () => void,
  ) {
    this.join(dialer, acceptor, 'there');
    this.join(acceptor, dialer, 'back');
  }

  /** Both ends get a reset. */
  cut(): void {
    this.over = true;
    this.dialer.resetAndDestroy();
    this.acceptor.resetAndDestroy();
    this.onOver();
  }

  /** Bytes of this way stay where they are, and neither end is told. */
  stall(way: 'there' | 'back'): void {
    this.stalled[way] = true;
    (way === 'there' ? this.dialer : this.acceptor).pause();
  }

  /** What was stalled goes on. */
  resume(): void {
    this.stalled = { there: false, back: false };
    for (const socket of [this.dialer, this.acceptor]) {
      if (socket.destroyed) this.cut();
      else socket.resume();
    }
  }

  private join(from: Socket, to: Socket, way: 'there' | 'back'): void {
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (!this.stalled[way]) from.resume();
    });
    from.on('end', () => to.end());
    from.on('close', () => {
      // a black hole tells nobody
      if (this.over || this.stalled.there || this.stalled.back) return;
      this.over = true;
      to.destroy();
      this.onOver();
    });
  }
}

/** Stands before the port of one node. A connection says in its first bytes from whom it comes and for which grid. */
export class LinkProxy {
  readonly links = new Set<ProxiedLink>();
  /** Connections so far. */
  made = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly to: number,
    private readonly port: number,
    private readonly isBlocked: (ends: LinkEnds) => boolean,
    private readonly nodeOf: (origin: string) => number,
  ) {
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.sockets.delete(socket));
      this.greet(socket);
    });
  }

  /** @param to Number of the node that listens at `port`. Connections that `isBlocked` says so of are reset. */
  static async before(
    to: number,
    port: number,
    own: number,
    isBlocked: (ends: LinkEnds) => boolean,
    nodeOf: (origin: string) => number,
  ): Promise<LinkProxy> {
    const server = createServer({ noDelay: true }).listen(own, LOOPBACK);
    await once(server, 'listening');
    return new LinkProxy(server, to, port, isBlocked, nodeOf);
  }

  async close(): Promise<void> {
    for (const link of this.links) link.cut();
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private greet(socket: Socket): void {
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      if (!head.includes('\r\n\r\n') && head.length < HEAD_BYTES) return;
      socket.off('data', onData);
      socket.pause();
      this.open(socket, head);
    };
    socket.on('data', onData);
  }

  private open(socket: Socket, head: Buffer): void {
    const text = head.toString('latin1');
    const ends = { from: this.nodeOf(issuerOf(text)), to: this.to, route: /^GET (\S+)/.exec(text)?.[1] ?? '' };
    if (this.isBlocked(ends)) {
      socket.resetAndDestroy();
      return;
    }
    const acceptor = connect({ port: this.port, host: LOOPBACK, noDelay: true });
    this.sockets.add(acceptor);
    acceptor.once('close', () => this.sockets.delete(acceptor));
    const link = new ProxiedLink(ends, socket, acceptor, () => this.links.delete(link));
    this.links.add(link);
    acceptor.once('connect', () => this.made++);
    acceptor.write(head);
    socket.resume();
  }
}

/** Who signed the token of a request for an upgrade; not verified. */
function issuerOf(head: string): string {
  const [, claims] = /^authorization: bearer [^.\s]+\.([^.\s]+)\./im.exec(head) ?? [];
  if (claims === undefined) return '';
  try {
    const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iss?: unknown };
    return typeof iss === 'string' ? iss : '';
  } catch {
    return '';
  }
}
