import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { within } from './hang-budget.js';
import { RawPeer } from './raw-peer.js';

/** A host that the node dials. */
export class RawListener {
  readonly #waiting: RawPeer[] = [];
  readonly #takers: ((peer: RawPeer) => void)[] = [];
  readonly peers: RawPeer[] = [];
  /** When each upgrade came, Unix ms. */
  readonly attempts: number[] = [];
  /** While set, upgrades are answered with this status. */
  refuseWith: number | undefined;

  private constructor(
    readonly origin: string,
    readonly server: Server,
  ) {
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    server.on('upgrade', (request, socket, head) => {
      this.attempts.push(Date.now());
      if (this.refuseWith !== undefined) {
        socket.end(`HTTP/1.1 ${this.refuseWith} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      sockets.handleUpgrade(request, socket, head, (ws) => {
        const peer = new RawPeer(ws, request);
        this.peers.push(peer);
        const taker = this.#takers.shift();
        if (taker) taker(peer);
        else this.#waiting.push(peer);
      });
    });
  }

  /** Listens on a free port whose origin fits. */
  static async listen(fitting: (origin: string) => boolean = () => true): Promise<RawListener> {
    for (;;) {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      if (fitting(origin)) return new RawListener(origin, server);
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** The next socket that the node opens, its Connect unread. */
  socket(budgetMs = 30_000): Promise<RawPeer> {
    for (let waiting = this.#waiting.shift(); waiting; waiting = this.#waiting.shift()) {
      if (waiting.closing === undefined) return Promise.resolve(waiting);
    }
    return within(
      new Promise<RawPeer>((resolve) => this.#takers.push(resolve)),
      `nobody dialed ${this.origin}`,
      budgetMs,
    );
  }

  /** The next connection of the node, accepted. */
  async peer(options: Parameters<RawPeer['accept']>[0] = {}): Promise<RawPeer> {
    return (await this.socket()).accept(options);
  }

  async close(): Promise<void> {
    for (const peer of this.peers) peer.socket.terminate();
    await new Promise((resolve) => this.server.close(resolve));
    for (const peer of this.peers) peer.assertClean();
  }
}
