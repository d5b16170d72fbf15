import type { Socket } from 'node:net';
import { checkServerIdentity, TLSSocket } from 'node:tls';
import { textOf } from '../errors/index.js';
import type { Entry } from './acceptor.js';
import { hostnameOf } from './hosts.js';
import { isTooOld, OLDEST_TLS } from './tls-context.js';

/** Why a connection is refused by its TLS, before anything that came over it counts; undefined where it is not. */
export function whyNotSafe(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const protocol = socket.getProtocol();
  if (isTooOld(protocol)) return `the connection speaks ${protocol ?? 'no TLS'}; it must be ${OLDEST_TLS} or later`;
  // a listener that asks for certificates and lets in who has none (rejectUnauthorized: false) leaves it to us
  const unauthorized = whyUnauthorized(socket);
  const shown = Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
  return unauthorized === undefined || shown ? unauthorized : 'no certificate was shown';
}

/** Why the certificate of the other end was not accepted; undefined where it was, or where nobody asked for one. */
export function whyUnauthorized(socket: TLSSocket): string | undefined {
  // Node's types say Error, its server gives the code of one
  const error = socket.authorizationError as string | Error | null | undefined;
  return error ? `the certificate is not accepted: ${textOf(error)}` : undefined;
}

/** With mutual TLS the certificate of the dialer must cover the host that it claims to be. */
export function certifiedBy(socket: Socket): Entry['whyNotCertified'] {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerCertificate();
  return (host) => {
    // Node would look at the common name then, which authorities for clients let their clients choose
    if (certificate.subjectaltname === undefined) return 'it has no subjectAltName';
    return checkServerIdentity(hostnameOf(new URL(host)), certificate)?.message;
  };
}
