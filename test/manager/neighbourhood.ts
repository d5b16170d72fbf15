import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { GridManager, type GridOptions } from '../../lib/manager/index.js';
import type { GridLogger } from '../../lib/observe/index.js';

export const SECRET = 'a secret of the test, long enough for it';

/** Keeps the lines that a grid logs. */
export class LogBook implements GridLogger {
  readonly lines: string[] = [];

  log(message: string): void {
    this.lines.push(message);
  }

  warn(message: string): void {
    this.lines.push(message);
  }

  error(message: string): void {
    this.lines.push(message);
  }

  matching(pattern: RegExp): string[] {
    return this.lines.filter((line) => pattern.test(line));
  }
}

/** One host: an HTTP server on a port of loopback, and the grids that were made for it. */
export class House {
  readonly log = new LogBook();
  readonly managers: GridManager[] = [];
  private readonly open = new Set<Socket>();

  private constructor(
    readonly server: Server,
    readonly origin: string,
    private readonly hood: Neighbourhood,
  ) {
    server.on('connection', (socket) => {
      this.open.add(socket);
      socket.once('close', () => this.open.delete(socket));
    });
  }

  static async build(hood: Neighbourhood): Promise<House> {
    const server = createServer((_request, response) => response.end('plain'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new House(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`, hood);
  }

  /** Sockets that others opened to this host. */
  get sockets(): number {
    return this.open.size;
  }

  /** They themselves. */
  get incoming(): readonly Socket[] {
    return [...this.open];
  }

  /** Resets every socket that others opened to this host. */
  killIncoming(): void {
    for (const socket of this.open) socket.destroy();
  }

  /** A grid of this host that is attached to its server; not started. */
  grid(options: Partial<GridOptions> = {}): GridManager {
    const manager = new GridManager({
      local: this.origin,
      hosts: this.hood.origins,
      auth: { secret: SECRET },
      logger: this.log,
      intervals: { redialMs: 20 },
      ...options,
    });
    manager.attach(this.server);
    this.managers.push(manager);
    return manager;
  }

  async close(): Promise<void> {
    await Promise.all(this.managers.map((manager) => manager.close()));
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }
}

/** A few hosts that know each other. */
export class Neighbourhood {
  readonly houses: House[] = [];

  static async build(count: number): Promise<Neighbourhood> {
    const hood = new Neighbourhood();
    for (let i = 0; i < count; i++) hood.houses.push(await House.build(hood));
    return hood;
  }

  get origins(): string[] {
    return this.houses.map(({ origin }) => origin);
  }

  async close(): Promise<void> {
    await Promise.all(this.houses.map((house) => house.close()));
  }
}

/** Resolves when each of the grids is connected with all of its peers. */
export async function allConnected(...grids: readonly GridManager[]): Promise<void> {
  const waits = grids.flatMap(({ peers }) => peers.map((peer) => peer.waitForConnect({ timeoutMs: 120_000 })));
  await Promise.all(waits);
}
