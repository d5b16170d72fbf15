import { once } from 'node:events';
import { createServer, type AddressInfo, type LookupFunction, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { OpenSockets } from '../../lib/manager/open-sockets.js';
import { dialWebSocket, type WsDial } from '../../lib/manager/ws-dialer.js';

let server: Server;
let sockets: OpenSockets;
/** What the server answers to a request, and then it hangs up. */
let answer: string;

beforeEach(async () => {
  sockets = new OpenSockets();
  server = createServer((socket: Socket) => {
    // a dialer that has read enough may reset it
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  await sockets.empty();
  server.close();
  await once(server, 'close');
});

function dialTo(peer: string): WsDial {
  const { signal } = new AbortController();
  return { peer, route: '/grid/v1', token: '', dateMs: 0, tls: {}, frameBytes: 65_536, signal, sockets };
}

it.each<[string, string, string, string]>([
  ['a refusal', '401 No\r\nContent-Length: 6\r\n\r\nno key', 'UNAUTHENTICATED', 'HTTP 401: no key'],
  ['a cut body', '401 No\r\nContent-Length: 9\r\n\r\nno key', 'UNAUTHENTICATED', 'HTTP 401: no key'],
  ['a body that never came', '403 No\r\nContent-Length: 9\r\n\r\n', 'PERMISSION_DENIED', 'HTTP 403'],
  ['a body of many lines', '503 Busy\r\n\r\nline\n\u0007line', 'UNAVAILABLE', 'HTTP 503: line line'],
  ['a long body', `500 Error\r\n\r\n${'x'.repeat(5_000)}`, 'UNAVAILABLE', `HTTP 500: ${'x'.repeat(512)}`],
  [
    'another route',
    '404 Not Found\r\nContent-Length: 2\r\n\r\nno',
    'UNIMPLEMENTED',
    'HTTP 404 at /grid/v1 (the option route must be the same on both hosts; ' +
      'a proxy between them must pass upgrades): no',
  ],
  [
    'an answer as to any other request',
    '200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'FAILED_PRECONDITION',
    'HTTP 200 (no WebSocket; is that the peer? a proxy between them must pass upgrades): hello',
  ],
  [
    'another place',
    '302 Found\r\n\r\n',
    'FAILED_PRECONDITION',
    'HTTP 302 (no WebSocket; is that the peer? a proxy between them must pass upgrades)',
  ],
  ['another status', '400 No\r\n\r\n', 'FAILED_PRECONDITION', 'HTTP 400'],
])('no upgrade: its status is told, and no socket left: %s', async (_name, text, code, message) => {
  answer = `HTTP/1.1 ${text}`;
  const { port } = server.address() as AddressInfo;
  const dialed = dialWebSocket(dialTo(`http://127.0.0.1:${port}`));
  await expect(dialed).rejects.toMatchObject({ code, message, remote: true });
});

it('a host without file descriptors is told that it is its own fault', async () => {
  const fault = Object.assign(new Error('connect EMFILE 10.0.0.2:9000'), { code: 'EMFILE' });
  const lookup: LookupFunction = (_host, _options, callback) => void setImmediate(callback, fault, []);
  await expect(dialWebSocket({ ...dialTo('http://b:9000'), lookup })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: 'connect EMFILE 10.0.0.2:9000; this host has no file descriptor left (ulimit -n)',
    remote: false,
  });
});

it('of a host with several addresses it is told how each of them failed', async () => {
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const addresses = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }));
  const lookup: LookupFunction = (_host, _options, callback) => void setImmediate(callback, null, addresses);
  const dialed = dialWebSocket({ ...dialTo(`http://b:${port}`), lookup });
  const message = `connect ECONNREFUSED 127.0.0.2:${port}; connect ECONNREFUSED 127.0.0.1:${port}`;
  await expect(dialed).rejects.toMatchObject({ code: 'UNAVAILABLE', message });
});
