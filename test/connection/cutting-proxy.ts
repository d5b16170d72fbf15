import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Which way the byte goes that a link is cut at. */
export type Way = 'to the acceptor' | 'to the dialer';

/** A TCP proxy that lets so many more bytes of one way through and then resets both sockets. */
export class CuttingProxy {
  private sockets: Socket[] = [];
  private budget: { readonly way: Way; bytes: number } | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (dialer) => {
      const acceptor = connect(this.target, '127.0.0.1');
      this.sockets.push(dialer, acceptor);
      this.join(dialer, acceptor, 'to the acceptor');
      this.join(acceptor, dialer, 'to the dialer');
    });
  }

  static async before(target: number): Promise<CuttingProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CuttingProxy(server, target);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** From now on, of the connection that stands. */
  cutAfter(bytes: number, way: Way): void {
    this.budget = { way, bytes };
  }

  cut(): void {
    this.budget = undefined;
    for (const socket of this.sockets.splice(0)) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(from: Socket, to: Socket, way: Way): void {
    from.on('error', () => {});
    from.on('data', (chunk: Buffer) => {
      const { budget } = this;
      if (budget?.way !== way || chunk.length < budget.bytes) {
        if (budget?.way === way) budget.bytes -= chunk.length;
        if (!to.write(chunk)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
        return;
      }
      this.budget = undefined;
      // the bytes before the cut arrive, so that a message that is whole just in time counts
      to.write(chunk.subarray(0, budget.bytes), () => this.cut());
    });
  }
}
