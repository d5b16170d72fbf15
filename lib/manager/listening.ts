import type { Server } from 'node:http';
import { isSecure } from '../connection/index.js';
import type { GridSettings } from './options.js';
import type { OwnListener } from './own-listener.js';
import { watchTlsFaults } from './tls-faults.js';
import { routeUpgrades, type UpgradeHandler } from './upgrade-router.js';

export interface ListeningPorts {
  readonly settings: Pick<GridSettings, 'route' | 'local' | 'logger'>;
  /** Opens the listener of the grid's own; rejects where that cannot be. */
  readonly open: () => Promise<OwnListener>;
  /** An upgrade request of the grid's route. */
  readonly onUpgrade: UpgradeHandler;
  /** A connection that a server refused by its TLS. */
  readonly onTlsFault: (reason: string, remoteAddress: string | undefined) => void;
}

/** The servers on which a grid's route is served: those of others, and the listener of its own. */
export class Listening {
  private readonly detachments = new Set<() => void>();
  private listener: Promise<OwnListener> | undefined = undefined;

  constructor(private readonly ports: ListeningPorts) {}

  /**
   * Serves the route on a server of somebody else; everything else on it stays as it is. The returned function takes it
   * back.
   * @throws GridError ALREADY_EXISTS where another grid has the same route on this server.
   */
  attach(server: Server): () => void {
    return this.serve(server, this.ports.onUpgrade);
  }

  /**
   * The same until the server closes, whose app ends the grid first and the server last: who dials meanwhile is to read
   * that this host shuts down, not that it knows no such route.
   */
  attachForGood(server: Server): void {
    server.once('close', routeUpgrades(server, this.ports.settings.route, this.ports.onUpgrade));
    this.watch(server, () => {});
  }

  private serve(server: Server, onUpgrade: UpgradeHandler): () => void {
    return this.watch(server, routeUpgrades(server, this.ports.settings.route, onUpgrade));
  }

  /** The returned function, and the end of the grid, end it and detach. */
  private watch(server: Server, detach: () => void): () => void {
    const unwatch = watchTlsFaults(server, this.ports.onTlsFault);
    this.compareSchemes(server);
    const release = (): void => {
      this.detachments.delete(release);
      unwatch();
      detach();
    };
    this.detachments.add(release);
    return release;
  }

  /** Opens the own listener; once is enough. One that could not be opened may be asked for again. */
  async listen(): Promise<void> {
    this.listener ??= this.opened();
    await this.listener;
  }

  /** The own listener once it is open; undefined where there is none, or where it could not be opened. */
  async own(): Promise<OwnListener | undefined> {
    const [opened] = await Promise.allSettled([this.listener]);
    // why it could not be opened was told to who called listen()
    return opened.status === 'fulfilled' ? opened.value : undefined;
  }

  /**
   * Takes the route back, but where it was attached for good. Resolves when the own listener is closed, for which its
   * sockets must be.
   */
  async close(): Promise<void> {
    const listener = await this.own();
    for (const detach of this.detachments) detach();
    await listener?.close();
  }

  /** Peers dial a name of `https` by TLS: at a listener without it they learn no more than that TLS fails. */
  private compareSchemes(server: Server): void {
    const { local, logger } = this.ports.settings;
    if (!isSecure(local) || 'setSecureContext' in server) return;
    logger.log(`local is ${local}, this listener speaks plain HTTP: right only behind a proxy that ends TLS`);
  }

  private async opened(): Promise<OwnListener> {
    try {
      const listener = await this.ports.open();
      this.serve(listener.server, (request, socket, head) => {
        listener.asked(request.socket);
        this.ports.onUpgrade(request, socket, head);
      });
      return listener;
    } catch (error) {
      // the port may be free another time
      this.listener = undefined;
      throw error;
    }
  }
}
