import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { once } from 'node:events';
import { GridError } from '../errors/index.js';
import { isSecure } from './hosts.js';
import type { ListenOptions } from './options.js';

/** The HTTP server of a grid that has no other one to share. It serves the grid's WebSockets and nothing else. */
export class OwnListener {
  private constructor(readonly server: Server) {}

  /**
   * Listens on the address of `local`, or what `listen` says instead. Rejects with FAILED_PRECONDITION when it cannot,
   * for example because the port is taken.
   * @param requestMs Connections that have not sent a whole request by then, or nothing at all, are closed.
   */
  static async open(local: string, listen: ListenOptions, requestMs: number): Promise<OwnListener> {
    const url = new URL(local);
    const host = listen.host ?? url.hostname.replace(/^\[(.*)\]$/, '$1');
    const port = listen.port ?? (Number(url.port) || (isSecure(local) ? 443 : 80));
    const patience = {
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      // how often Node looks
      connectionsCheckingInterval: Math.min(requestMs, 1_000),
    };
    const server = listen.tls ? createHttpsServer({ ...patience, ...listen.tls }) : createHttpServer(patience);
    server.on('request', (_request, response) => response.writeHead(404).end());
    server.listen({ host, port });
    try {
      await once(server, 'listening');
    } catch (error) {
      throw new GridError('FAILED_PRECONDITION', whyNot(host, port, error as NodeJS.ErrnoException), { cause: error });
    }
    return new OwnListener(server);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }
}

function whyNot(host: string, port: number, error: NodeJS.ErrnoException): string {
  const where = `cannot listen on ${host} port ${port}`;
  if (error.code === 'EADDRINUSE') return `${where}: the port is taken`;
  if (error.code === 'EACCES') return `${where}: this process may not use the port`;
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return `${where}: this machine has no such address; name the one to listen on with the option listen (${error.message})`;
  }
  return `${where}: ${error.message}`;
}
