import type { ClientRequest, IncomingMessage } from 'node:http';
import type { LookupFunction, Socket, TcpSocketConnectOpts } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { WebSocket } from 'ws';
import { isSecure, wsSocket, type FrameSocket } from '../connection/index.js';
import { GridError, inOneLine, textOf, type GridCode } from '../errors/index.js';
import type { OpenSockets } from './open-sockets.js';
import { OLDEST_TLS } from './tls-context.js';
import { WS_OPTIONS } from './ws-options.js';

/** So much of an HTTP answer's body is read for its reason. */
const REASON_BYTES = 512;

/** What one dial needs. */
export interface WsDial {
  /** Origin of the host that is dialed. */
  readonly peer: string;
  readonly route: string;
  /** Empty: no Authorization header. */
  readonly token: string;
  /** Unix milliseconds for the header `X-Minio-Time`. */
  readonly dateMs: number;
  readonly tls: ConnectionOptions;
  /** Largest WebSocket message in bytes. */
  readonly frameBytes: number;
  /** Gives the dial up. */
  readonly signal: AbortSignal;
  readonly sockets: OpenSockets;
  /** Finds the addresses of the host. Default: Node's way. */
  readonly lookup?: LookupFunction;
  /** Milliseconds for each of several addresses; Node's 250 are less than a round trip may take. */
  readonly addressMs?: number;
}

/**
 * Opens a WebSocket to a host (wire spec §1). Rejects with UNAVAILABLE when it cannot be reached, and with `remote` set
 * and the reason of its body when it answers something else than an upgrade.
 */
export function dialWebSocket(dial: WsDial): Promise<FrameSocket> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(urlOf(dial.peer, dial.route), {
      ...reachedBy(dial),
      ...dial.tls,
      ...WS_OPTIONS,
      maxPayload: dial.frameBytes,
      headers: {
        ...(dial.token !== '' && { Authorization: `Bearer ${dial.token}` }),
        'X-Minio-Time': `${Math.floor(dial.dateMs)}000000`,
      },
    });
    dial.sockets.add(ws);
    let stream: Socket | undefined;

    const settle = (act: () => void): void => {
      dial.signal.removeEventListener('abort', onAbort);
      ws.off('open', onOpen).off('unexpected-response', onResponse).off('upgrade', onUpgrade);
      act();
    };
    const fail = (error: unknown): void => settle(() => reject(error));
    const onAbort = (): void => {
      fail(new GridError('UNAVAILABLE', textOf(dial.signal.reason), { peer: dial.peer, reason: 'not-connected' }));
      ws.terminate();
    };
    const onUpgrade = (response: IncomingMessage): void => {
      stream = response.socket;
    };
    const onOpen = (): void =>
      settle(() => {
        const below = stream && { stream, masks: true, maxBytes: dial.frameBytes };
        const socket = wsSocket(ws, stream?.remoteAddress, below);
        ws.off('error', onError);
        resolve(socket);
      });
    const onResponse = (_request: ClientRequest, response: IncomingMessage): void => {
      void reasonOf(response).then((reason) => {
        fail(refusal(dial, response.statusCode ?? 0, reason));
        ws.terminate();
      });
    };
    // stays while the socket is not handed over: `ws` tells its errors to somebody, or ends the process
    const onError = (error: Error): void => fail(unreachable(dial.peer, error));

    ws.on('error', onError).once('upgrade', onUpgrade).once('open', onOpen).once('unexpected-response', onResponse);
    dial.signal.addEventListener('abort', onAbort, { once: true });
    if (dial.signal.aborted) onAbort();
  });
}

/** Options of Node's sockets that the types of `ws` do not name: it hands on what it is given. */
function reachedBy({ lookup, addressMs }: WsDial): Partial<TcpSocketConnectOpts> {
  return { ...(lookup && { lookup }), ...(addressMs && { autoSelectFamilyAttemptTimeout: addressMs }) };
}

function urlOf(peer: string, route: string): string {
  const { host } = new URL(peer);
  return `${isSecure(peer) ? 'wss' : 'ws'}://${host}${route}`;
}

function unreachable(peer: string, error: NodeJS.ErrnoException): GridError {
  const text = tlsFault(error.message) ?? hungUp(peer, error.message) ?? outOfFiles(error) ?? plain(error);
  return new GridError('UNAVAILABLE', text, { peer, reason: 'not-connected', cause: error });
}

/**
 * The AggregateError of a host with several addresses has no message, and the code of the first one: an IPv6 address
 * that leads nowhere says nothing about the IPv4 address that refused. So each is told.
 */
function plain({ message, code, name, errors = [] }: NodeJS.ErrnoException & { readonly errors?: Error[] }): string {
  return message || errors.map((each) => each.message).join('; ') || code || name;
}

/** It is not the peer that is to be looked at. */
function outOfFiles(error: NodeJS.ErrnoException): string | undefined {
  if (error.code !== 'EMFILE' && error.code !== 'ENFILE') return undefined;
  return `${plain(error)}; this host has no file descriptor left (ulimit -n)`;
}

/**
 * Node's words for a socket that the peer closed in place of an answer, and what to look for: a listener that refuses a
 * certificate says so in its own log only, one that speaks TLS says nothing to who does not.
 */
function hungUp(peer: string, text: string): string | undefined {
  if (text !== 'socket hang up') return undefined;
  if (isSecure(peer)) return `${text}; if the peer asks for a certificate, its log says what is wrong with ours`;
  return `${text}; does the peer speak plain HTTP at this port?`;
}

/** What OpenSSL says, without the places in its sources; undefined where it was not OpenSSL. */
function tlsFault(text: string): string | undefined {
  const [, fault] = /:SSL routines:[^:]*:([^:\n]+)/.exec(text) ?? [];
  if (fault === undefined) return undefined;
  if (/protocol/.test(fault)) return `TLS: ${fault}; it must be ${OLDEST_TLS} or later at both ends`;
  return `TLS: ${fault}${fault === 'wrong version number' ? '; does the peer speak TLS at this port?' : ''}`;
}

const CODES: Readonly<Record<number, GridCode>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  // the other end was too slow to read the request, or we to send it: no word about us
  408: 'UNAVAILABLE',
  429: 'RESOURCE_EXHAUSTED',
};

/** What to look for where somebody answers who is no grid, or does not know that it is meant. */
function hintOf(status: number, route: string): string {
  const proxy = 'a proxy between them must pass upgrades';
  if (status === 404) return ` at ${route} (the option route must be the same on both hosts; ${proxy})`;
  return status < 400 || status === 426 ? ` (no WebSocket; is that the peer? ${proxy})` : '';
}

function refusal({ peer, route }: WsDial, status: number, reason: string): GridError {
  const text = `HTTP ${status}${hintOf(status, route)}${reason === '' ? '' : `: ${reason}`}`;
  const code = CODES[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'FAILED_PRECONDITION');
  return new GridError(code, text, { peer, remote: true });
}

/** The start of the body as one line of text that is safe to log. Never rejects: the status says what happened. */
async function reasonOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= REASON_BYTES) break;
    }
  } catch {
    // the body was cut; what came of it has to do
  }
  const text = Buffer.concat(chunks).subarray(0, REASON_BYTES).toString();
  return inOneLine(text);
}
