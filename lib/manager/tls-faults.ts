import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { whyUnauthorized } from './dialer-certificate.js';
import { OLDEST_TLS } from './tls-context.js';

/** Errors of OpenSSL that tell what is wrong with the other end. */
const FAULTS: Readonly<Record<string, string>> = {
  ERR_SSL_UNSUPPORTED_PROTOCOL: `its TLS is older than ${OLDEST_TLS}`,
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no certificate was shown',
};

type Listener = (reason: string, remoteAddress: string | undefined) => void;

/** Who is told of a server's faults: one pair of listeners for all grids that share it. */
const watchers = new WeakMap<Server, Set<Listener>>();

/**
 * Tells of connections that a server refuses by their TLS: version or certificate. Those ends learn hardly more than
 * that they are refused, so the reason should stand in the log of this one. Who hangs up, or speaks no TLS, is not told
 * of. Nothing that comes before a request tells a host of the grid from a client of the server's other routes, so those
 * are told of, too. The returned function ends it.
 */
export function watchTlsFaults(server: Server, onFault: Listener): () => void {
  let listeners = watchers.get(server);
  if (!listeners) watchers.set(server, (listeners = new Set()));
  if (listeners.size === 0) server.on('connection', keepAddress).on('tlsClientError', tell);
  listeners.add(onFault);
  return () => {
    if (!listeners.delete(onFault) || listeners.size > 0) return;
    server.off('connection', keepAddress).off('tlsClientError', tell);
  };
}

/** An address that nobody asked for while the socket was open is lost. */
function keepAddress(socket: Socket): void {
  void socket.remoteAddress;
}

function tell(this: Server, error: NodeJS.ErrnoException, socket: TLSSocket): void {
  const reason = FAULTS[error.code ?? ''] ?? whyUnauthorized(socket);
  if (reason === undefined) return;
  for (const onFault of watchers.get(this) ?? []) onFault(reason, addressOf(socket));
}

/** Node closes a TLS socket before it tells of its fault; the TCP socket below still knows the address. */
function addressOf(socket: TLSSocket & { readonly _parent?: Socket | null }): string | undefined {
  return socket.remoteAddress ?? socket._parent?.remoteAddress;
}
