import { Buffer } from 'node:buffer';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  type ConnectionOptions,
  type TLSSocket,
} from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { GridManager, type GridOptions } from '../../lib/manager/index.js';
import { verifyOptions } from '../../lib/manager/verify-options.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { freeHosts, freePort, portOf } from '../ports.js';
import { until } from '../until.js';
import { Authority, type HostCertificate } from './certificates.js';
import { allConnected, LogBook, SECRET } from './neighbourhood.js';
import { RawDialer } from './raw-dialer.js';
import { rejectionOf, thrownBy } from './refusal.js';

/** What OpenSSL needs to speak versions that it would rather not. */
const OLD = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;

const PASSPHRASE = 'of the key alone';

const BASE = { local: 'https://a:1', hosts: ['https://a:1'], auth: { secret: SECRET } };

/** A private key that PASSPHRASE opens. */
function encrypted(): string {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE },
  }).privateKey;
}

/** The same text with a piece of it missing. */
function broken(pem: string): string {
  return pem.replace(/(-----\r?\n).{20}/, '$1');
}

let authority: Authority;
let ca: string;
/** For 127.0.0.1. */
let own: HostCertificate;

beforeAll(async () => {
  authority = await Authority.found('the authority of the grid');
  ca = authority.ca;
  own = await authority.certify(['127.0.0.1']);
});

const grids: GridManager[] = [];
const books = new WeakMap<GridManager, LogBook>();
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(grids.splice(0).map((grid) => grid.close()));
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function make(local: string, hosts: readonly string[], options: Partial<GridOptions> = {}): GridManager {
  const book = new LogBook();
  const grid = new GridManager({
    local,
    hosts,
    auth: { secret: SECRET },
    logger: book,
    intervals: { redialMs: 20 },
    drainTimeoutMs: 100,
    ...options,
  });
  grid.handle(60, {}, (text: unknown) => text);
  grids.push(grid);
  books.set(grid, book);
  return grid;
}

/** An app's server. */
async function house(options: ServerOptions = {}): Promise<[string, Server]> {
  const server = createServer({ ...own, ...options }, (_request, response) => response.end('plain'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return [`https://127.0.0.1:${(server.address() as AddressInfo).port}`, server];
}

/** Two running grids on servers of apps, the dialer first. */
async function pair(
  options: (dials: boolean) => Partial<GridOptions>,
  server: ServerOptions = {},
): Promise<[GridManager, GridManager]> {
  const [a, b] = [await house(server), await house(server)];
  const [first, second] = localDials(a[0], b[0]) ? [a, b] : [b, a];
  const hosts = [first[0], second[0]];
  const both: [GridManager, GridManager] = [
    make(first[0], hosts, options(true)),
    make(second[0], hosts, options(false)),
  ];
  both[0].attach(first[1]);
  both[1].attach(second[1]);
  for (const grid of both) void grid.start();
  return both;
}

/** Two running grids with listeners of their own, the dialer first. */
async function ownPair(options: (dials: boolean) => Partial<GridOptions>): Promise<[GridManager, GridManager]> {
  const hosts = (await freeHosts(2)).map((host) => host.replace('http:', 'https:'));
  const [first, second] = localDials(hosts[0]!, hosts[1]!) ? hosts : hosts.toReversed();
  const both: [GridManager, GridManager] = [
    make(first!, hosts, options(true)),
    make(second!, hosts, options(false)),
  ];
  for (const grid of both) {
    await grid.listen();
    void grid.start();
  }
  return both;
}

function bookOf(grid: GridManager): LogBook {
  return books.get(grid)!;
}

async function echo(from: GridManager, to: GridManager): Promise<void> {
  expect(await from.peer(to.local).request(60, 'over')).toBe('over');
  expect(await to.peer(from.local).request(60, 'and back')).toBe('and back');
}

/** The number of the certificate that a listener shows now; rejects where the options do not trust it. */
async function shown(origin: string, options: ConnectionOptions): Promise<string> {
  const socket: TLSSocket = connectTls({ port: portOf(origin), host: '127.0.0.1', ...options });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

describe('B46 TLS', () => {
  it('works with the authority of the options', async () => {
    const [a, b] = await pair(() => ({ tls: { ca } }));
    await allConnected(a, b);
    await echo(a, b);
  });

  it('fails with a clear text where the authority is unknown', async () => {
    const log = new LogBook();
    await pair((dials) => (dials ? { logger: log } : {}));
    await until(() => log.lines.length > 0, 'the second failure');
    expect(log.lines[0]).toMatch(/cannot reach .*unable to verify the first certificate/);
  });

  it('tells in the log that a host has come back with a certificate that is no good', async () => {
    const [a, b] = await ownPair(() => ({ tls: { ca }, listen: { tls: own } }));
    await allConnected(a, b);
    await b.close();
    const expired = await authority.certify(['127.0.0.1'], { endsInMs: -1_000 });
    const back = make(b.local, [a.local, b.local], { tls: { ca }, listen: { tls: expired } });
    await back.listen();
    void back.start();
    await until(() => bookOf(a).lines.length === 2, 'the reason');
    expect(bookOf(a).lines).toEqual([
      `${b.local} is leaving: this host is shutting down`,
      expect.stringMatching(/^cannot reach .*: certificate has expired \(\d+ attempts; it is tried on\)$/),
    ]);
  });

  it.each([
    ['http', 'does the peer speak plain HTTP at this port?'],
    ['https', 'if the peer asks for a certificate, its log says what is wrong with ours'],
  ])('tells what to look for where the peer of an %s origin hangs up in place of an answer', async (scheme, hint) => {
    const hangUp = (socket: Socket): unknown => socket.once('data', () => socket.end());
    const server = scheme === 'http' ? createTcpServer(hangUp) : createTlsServer({ ...own }, hangUp);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(async () => {
      server.close();
      await once(server, 'close');
    });
    const peer = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    let local = `${scheme}://other-0.invalid:1`;
    for (let i = 1; !localDials(local, peer); i++) local = `${scheme}://other-${i}.invalid:1`;
    const grid = make(local, [local, peer], { tls: { ca } });
    void grid.start();
    await until(() => bookOf(grid).lines.length > 0, 'the second failure');
    expect(bookOf(grid).lines[0]).toBe(`cannot reach ${peer}: socket hang up; ${hint} (2 attempts; it is tried on)`);
  });

  it('asks a function for the options once, and again after reloadTls()', async () => {
    let asked = 0;
    const other = await Authority.found('another one');
    const [a, b] = await pair((dials) =>
      dials ? { tls: async () => (asked++ === 0 ? { ca: other.ca } : { ca }) } : {},
    );
    await until(() => asked === 1, 'the first question');
    expect(a.peer(b.local).state).toBe('connecting');
    await a.reloadTls();
    await allConnected(a, b);
    expect(asked).toBe(2);
  });

  it('a function that fails is a dial that failed, and is asked again', async () => {
    let asked = 0;
    const [a, b] = await pair((dials) => {
      if (!dials) return {};
      return { tls: () => (asked++ < 2 ? Promise.reject(new Error('no key yet')) : { ca }) };
    });
    await allConnected(a, b);
    expect(asked).toBe(3);
  });

  it('a listener of its own speaks TLS with listen.tls', async () => {
    const local = `https://127.0.0.1:${await freePort()}`;
    const grid = make(local, [local], { listen: { tls: own } });
    await grid.listen();
    const socket = new WebSocket(`${local.replace('https', 'wss')}/other`, { ca });
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(404);
    // that it was never open
    socket.on('error', () => undefined);
    socket.terminate();
  });

  it('closes beside a stranger who does not begin with TLS, once its peer has heard that it leaves', async () => {
    // if the stranger's time counted, the test would not end
    const limits = { handshakeMs: 600_000 };
    const [a, b] = await ownPair(() => ({ limits, tls: { ca }, listen: { tls: own } }));
    await allConnected(a, b);
    const strangers = [a, b].map(({ local }) => connectTcp({ port: portOf(local), host: '127.0.0.1' }));
    const gone = strangers.map((stranger) => once(stranger.on('error', () => {}), 'close'));
    await Promise.all(strangers.map((stranger) => once(stranger, 'connect')));
    await echo(a, b);
    await a.close();
    await until(() => bookOf(b).lines.some((line) => line.includes('is leaving')), 'the goodbye');
    await b.close();
    await Promise.all(gone);
  });

  it('that breaks off on a connection that stands is told in the log of both ends', async () => {
    const [a, b] = [await house(), await house()];
    const [dials, listens] = localDials(a[0], b[0]) ? [a, b] : [b, a];
    const accepted = once(listens[1], 'connection') as Promise<[Socket]>;
    const both = [dials, listens].map(([local, server]) => {
      const grid = make(local, [a[0], b[0]], { tls: { ca }, intervals: { redialMs: 60_000 } });
      grid.attach(server);
      void grid.start();
      return grid;
    });
    await allConnected(...both);
    // past TLS: no record of it
    (await accepted)[0].write('plain text');
    const lost = (grid: GridManager): string[] => bookOf(grid).matching(/^lost .* socket was closed: 1006 ERR_SSL_/);
    await until(() => both.every((grid) => lost(grid).length > 0), 'both say what TLS said');
  });

  it('warns of a dialer that looks at no certificate', async () => {
    const [a, b] = await pair(() => ({ tls: { rejectUnauthorized: false } }));
    await allConnected(a, b);
    expect(bookOf(a).lines).toEqual([expect.stringContaining('tls.rejectUnauthorized is false')]);
  });
});

describe('the version of TLS', () => {
  it('below 1.2 gets no handshake from the own listener, whose log says why', async () => {
    const local = `https://127.0.0.1:${await freePort()}`;
    const grid = make(local, [local], { listen: { tls: { ...own, ciphers: 'DEFAULT@SECLEVEL=0' } } });
    await grid.listen();
    for (let round = 0; round < 3; round++) {
      const socket = connectTls({ port: portOf(local), host: '127.0.0.1', ca, ...OLD });
      const [error] = (await once(socket, 'error')) as [Error];
      expect(error.message).toContain('alert protocol version');
    }
    await until(() => bookOf(grid).lines.length > 0, 'a line');
    expect(bookOf(grid).lines).toEqual(['refused a connection from 127.0.0.1: its TLS is older than TLSv1.2']);
  });

  it('below 1.2 is not dialed, and the log says why', async () => {
    const [a] = await pair((dials) => (dials ? { tls: { ca, ciphers: 'DEFAULT@SECLEVEL=0' } } : {}), OLD);
    await until(() => bookOf(a).lines.length > 0, 'the second failure');
    expect(bookOf(a).lines[0]).toMatch(
      /cannot reach .*: TLS: .*protocol.*; it must be TLSv1\.2 or later at both ends \(2 attempts/,
    );
  });

  it('below 1.2 is refused on a server of the app that allows it', async () => {
    const [local, server] = await house({ ...OLD, maxVersion: 'TLSv1.3' });
    const grid = make(local, [local]);
    grid.attach(server);
    void grid.start();
    const answer = await RawDialer.refused(local, '', { ca, ...OLD });
    expect(answer).toEqual({ status: 401, body: 'the connection speaks TLSv1.1; it must be TLSv1.2 or later' });
    expect(bookOf(grid).lines).toEqual([`refused a connection from 127.0.0.1: ${answer.body}`]);
  });

  it('1.2 and 1.3 connect', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const [a, b] = await ownPair(() => ({ tls: { ca, maxVersion }, listen: { tls: own } }));
      await allConnected(a, b);
    }
  });

  const at = (change: object): string => {
    const error = thrownBy(() => verifyOptions({ ...BASE, ...change }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    return error.message;
  };

  it.each<[string, object, string]>([
    ['minVersion', { minVersion: 'TLSv1.1' }, ".minVersion is 'TLSv1.1'; it must be 'TLSv1.2' or 'TLSv1.3'"],
    ['maxVersion', { maxVersion: 'TLSv1' }, ".maxVersion is 'TLSv1'; it must be"],
    ['a version that is none', { minVersion: 12 }, '.minVersion is a number; it must be'],
    ['versions that leave none', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }, 'later than'],
    ['secureProtocol', { secureProtocol: 'TLSv1_1_method' }, '.secureProtocol cannot be used'],
    ['secureContext', { secureContext: {} }, '.secureContext cannot be used'],
    ['a key that is none', { cert: 'x', key: 'hunter2' }, ' cannot be used: '],
    ['a cert without its key', { cert: 'x', key: undefined }, ' has cert, but no key'],
    ['a key of another kind', { cert: undefined, key: 123_454_321 }, '.key is not of a kind that Node takes'],
    ['a list', [], ' is a list; it must be'],
  ])('%s that cannot be used stops the start, and no value is shown', (_, tls, text) => {
    const listening = { cert: own.cert, key: own.key, ...tls };
    for (const message of [at({ tls }), at({ listen: { tls: Array.isArray(tls) ? tls : listening } })]) {
      expect(message).toMatch(/^(listen\.)?tls\b/);
      expect(message).toContain(text);
      expect(message).not.toMatch(/hunter2|123454321|PRIVATE/);
    }
  });

  it.each<[string, () => object, string]>([
    ['ca: a path', () => ({ ca: '/etc/ssl/ca.pem' }), '.ca cannot be used: it is no PEM; give the PEM itself, not'],
    ['ca: a path in a list', () => ({ ca: [ca, '/etc/ca.pem'] }), '.ca cannot be used: it is no PEM; give the PEM'],
    ['ca: bytes of a path', () => ({ ca: Buffer.from('/etc/ca.pem') }), '.ca cannot be used: it is no PEM; give the'],
    ['ca: nothing', () => ({ ca: '' }), '.ca cannot be used: it is no PEM; give the PEM'],
    ['ca: a key', () => ({ ca: own.key }), '.ca cannot be used: there is no certificate in it'],
    ['ca: its end is cut', () => ({ ca: ca.slice(0, -40) }), '.ca cannot be used: a certificate in it has no'],
    ['ca: the end of the second', () => ({ ca: `${ca}\n${ca.slice(0, -40)}` }), '.ca cannot be used: a certificate'],
    ['ca: two without a line break', () => ({ ca: ca.trim() + ca }), 'is there a line break between two?'],
    ['ca: not at the beginning of a line', () => ({ ca: `of us: ${ca}` }), '.ca cannot be used: a certificate in it'],
    ['ca: not alone to the end of a line', () => ({ ca: `${ca.trim()} # of us\n${ca}` }), 'in the middle of a line'],
    ['ca: one of two is broken', () => ({ ca: `${ca}\n${broken(ca)}` }), '.ca cannot be used: '],
    ['ca: misspelled', () => ({ Ca: ca }), ".Ca; Node's is ca"],
    ['rejectUnauthorized: misspelled', () => ({ rejectunauthorized: true }), ".rejectunauthorized; Node's is rejectUn"],
    ['cert: a path', () => ({ cert: '/etc/cert.pem' }), '.cert cannot be used: it is no PEM; give the PEM itself, not'],
    ['cert: a key', () => ({ cert: own.key }), '.cert cannot be used: '],
    ['key: a path', () => ({ key: '/etc/key.pem' }), '.key cannot be used: it is no PEM; give the PEM itself, not'],
    ['key: a path in an object', () => ({ key: [{ pem: '/etc/key.pem' }] }), '.key cannot be used: it is no PEM'],
    ['key: a certificate', () => ({ key: own.cert }), '.key cannot be used: '],
    ['key: without its passphrase', () => ({ key: encrypted() }), '.key cannot be used: '],
    ['pfx: a path', () => ({ pfx: '/etc/host.pfx' }), '.pfx cannot be used: '],
  ])('%s', (_, change, text) => {
    const tls = { ...own, ...change() };
    for (const message of [at({ tls }), at({ listen: { tls } })]) {
      expect(message).toMatch(/^(unknown option )?(listen\.)?tls\./);
      expect(message).toContain(text);
      expect(message).not.toMatch(/\/etc|PRIVATE|BEGIN/);
    }
  });

  it('what Node reads is left alone: lists, bytes, several certificates in one text, a passphrase', () => {
    const pem = encrypted();
    for (const tls of [
      { ...own, ca: [Buffer.from(ca), `${ca}\r\n${ca}`] },
      { cert: Buffer.from(own.cert), key: new Uint8Array(Buffer.from(own.key)) },
      { key: pem, passphrase: PASSPHRASE },
      { key: [{ pem, passphrase: PASSPHRASE }] },
      { ...own, ca: undefined, servername: 'a', family: 4 },
    ]) {
      expect(verifyOptions({ ...BASE, tls: tls as ConnectionOptions }).tls).toBe(true);
    }
  });

  it('a key of another certificate, and a listener without any, stop the start', async () => {
    const other = await authority.certify(['127.0.0.1']);
    expect(at({ tls: { cert: own.cert, key: other.key } })).toMatch(/^tls cannot be used: .*key values mismatch/);
    expect(at({ listen: { tls: { ca } } })).toBe('listen.tls has no certificate: give cert and key, or pfx');
  });

  it('a lower one from a function is a listener that does not open, and a dial that fails', async () => {
    const local = `https://127.0.0.1:${await freePort()}`;
    const grid = make(local, [local], { listen: { tls: () => ({ ...own, minVersion: 'TLSv1' }) } });
    const error = await rejectionOf(grid.listen());
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain("the result of listen.tls().minVersion is 'TLSv1'");
    const [a] = await pair((dials) => (dials ? { tls: () => ({ ca, minVersion: 'TLSv1' }) } : {}));
    await until(() => bookOf(a).lines.length > 0, 'the second failure');
    expect(bookOf(a).lines[0]).toContain("the result of tls().minVersion is 'TLSv1'");
  });
});

describe('a name of https at a listener of plain HTTP', () => {
  const text = (local: string): string =>
    `local is ${local}, this listener speaks plain HTTP: right only behind a proxy that ends TLS`;

  it('is told at the start, of its own listener as of an app', async () => {
    const [, server] = await house();
    const plain = createHttpServer();
    const [local, other] = (await freeHosts(2)).map((host) => host.replace('http:', 'https:')) as [string, string];
    const grid = make(local, [local]);
    await grid.listen();
    expect(bookOf(grid).lines).toEqual([text(local)]);
    grid.attach(plain);
    expect(bookOf(grid).lines).toEqual([text(local), text(local)]);
    grid.attach(server);
    const secure = make(other, [other], { listen: { tls: own } });
    await secure.listen();
    expect(bookOf(grid).lines).toHaveLength(2);
    expect(bookOf(secure).lines).toEqual([]);
  });
});

describe('mutual TLS', () => {
  it('lets in who shows a certificate for its host', async () => {
    const [a, b] = await pair(() => ({ tls: { ca, ...own } }), { ca, requestCert: true, rejectUnauthorized: true });
    await allConnected(a, b);
    await echo(a, b);
  });

  type Shown = (foreign: Authority) => Promise<ConnectionOptions>;
  const wrong: [string, Shown, string, string][] = [
    ['no certificate', async () => ({}), 'no certificate was shown', 'no certificate was shown'],
    [
      'one that is expired',
      () => authority.certify(['127.0.0.1'], { endsInMs: -1_000 }),
      'the certificate is not accepted: CERT_HAS_EXPIRED',
      'the certificate is not accepted: CERT_HAS_EXPIRED',
    ],
    [
      'one of an unknown authority',
      (foreign) => foreign.certify(['127.0.0.1']),
      'the certificate is not accepted: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'the certificate is not accepted: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
  ];

  it.each(wrong)('with %s TLS refuses where the listener rejects, and the log tells why', async (_, show, reason) => {
    const credentials = await show(await Authority.found('a foreign one'));
    const [a, b] = await ownPair((dials) => ({
      tls: { ca, ...(dials ? credentials : own) },
      listen: { tls: { ...own, ca, requestCert: true, rejectUnauthorized: true } },
    }));
    await until(() => bookOf(b).lines.length > 0 && bookOf(a).lines.length > 0, 'a line at both ends');
    expect(bookOf(b).lines).toEqual([`refused a connection from 127.0.0.1: ${reason}`]);
    expect(bookOf(a).lines[0]).toMatch(/^cannot reach /);
    expect(a.peer(b.local).state).toBe('connecting');
  });

  it.each(wrong)('with %s the grid refuses where the listener only asks, and says why', async (_, show, __, reason) => {
    const credentials = await show(await Authority.found('a foreign one'));
    const [a, b] = await pair((dials) => ({ tls: { ca, ...(dials ? credentials : own) } }), {
      ca,
      requestCert: true,
      rejectUnauthorized: false,
    });
    await until(() => bookOf(b).lines.length > 0 && bookOf(a).lines.length > 0, 'a line at both ends');
    expect(bookOf(b).lines).toEqual([`refused a connection from 127.0.0.1, which says it is ${a.local}: ${reason}`]);
    expect(bookOf(a).lines).toEqual([`${b.local} refuses us: HTTP 401: ${reason}`]);
  });

  it('on the server of an app is told of in the log too', async () => {
    const server = { ca, requestCert: true, rejectUnauthorized: true };
    const expired = await authority.certify(['127.0.0.1'], { endsInMs: -1_000 });
    const [, b] = await pair((dials) => ({ tls: { ca, ...(dials ? expired : own) } }), server);
    // on a machine with much to do that the dialer stays away is told as well
    const lines = (): string[] => bookOf(b).lines.filter((line) => !line.includes('has not connected'));
    await until(() => lines().length > 0, 'a line');
    expect(lines()).toEqual(['refused a connection from 127.0.0.1: the certificate is not accepted: CERT_HAS_EXPIRED']);
  });

  it('counts a client that TLS refused for nobody: it may be one of the other routes', async () => {
    const server = { ca, requestCert: true, rejectUnauthorized: true };
    const [, b] = await pair(() => ({ tls: { ca, ...own }, limits: { refusedPerMinute: 2 } }), server);
    const told: string[] = [];
    b.events.subscribe((event) => event.type === 'refused' && told.push(event.reason));
    for (let n = 0; n < 5; n++) await expect(RawDialer.open(b.local, '', { ca })).rejects.toThrow();
    await until(() => told.length === 5, 'told of all');
    const statuses: unknown[] = [];
    for (let n = 0; n < 3; n++) statuses.push((await RawDialer.refused(b.local, '', { ca, ...own })).status);
    expect(statuses).toEqual([401, 401, 429]);
  });

  it.each<[string, () => Promise<HostCertificate>, RegExp]>([
    ['for another host', () => authority.certify(['127.0.0.1', 'other.invalid']), /not in the cert's altnames/i],
    [
      'with the host in its common name alone',
      () => authority.certify([], { commonName: 'HOST' }),
      /it has no subjectAltName/,
    ],
  ])('refuses a certificate %s', async (_, certify, text) => {
    const [local, server] = await house({ ca, requestCert: true });
    let other = 'https://other-0.invalid:1';
    for (let i = 1; !localDials(other, local); i++) other = `https://other-${i}.invalid:1`;
    const acceptor = make(local, [local, other]);
    acceptor.attach(server);
    void acceptor.start();
    const dialer = make(other, [local, other], { tls: { ca, ...(await certify()) } });
    void dialer.start();
    await until(() => bookOf(dialer).lines.length > 0, 'the refusal');
    const prefix = `${local} refuses us: the certificate does not stand for ${other}: `;
    expect(bookOf(dialer).lines[0]!.slice(0, prefix.length)).toBe(prefix);
    expect(bookOf(dialer).lines[0]).toMatch(text);
    const refused = /^refused a connection from 127\.0\.0\.1: the certificate does not stand/;
    expect(bookOf(acceptor).matching(refused)).toHaveLength(1);
  });
});

describe('reloadTls()', () => {
  /** Files of a host that a test can replace. */
  interface Files {
    dial: ConnectionOptions;
    listen: ServerOptions;
  }

  async function renewablePair(): Promise<{ both: [GridManager, GridManager]; files: Files }> {
    const files: Files = { dial: { ca, ...own }, listen: { ...own, ca } };
    const both = await ownPair(() => ({
      tls: async () => files.dial,
      listen: { tls: () => ({ requestCert: true, rejectUnauthorized: true, ...files.listen }) },
    }));
    both[1].handle(61, { kind: 'stream' }, async function* () {
      for (let n = 0; ; n++) yield n;
    });
    await allConnected(...both);
    return { both, files };
  }

  it('renews both ends; calls and streams of connections that stand go on, new ones use what is new', async () => {
    const { both, files } = await renewablePair();
    const [a, b] = both;
    const failures: unknown[] = [];
    let calls = 0;
    let stopped = false;
    const load = both.map(async (from) => {
      const to = from === a ? b : a;
      while (!stopped && failures.length === 0) {
        await from.peer(to.local).request(60, 'x').catch((error: unknown) => failures.push(error));
        calls++;
      }
    });
    const stream = a.peer(b.local).stream<number>(61);
    const items = stream[Symbol.asyncIterator]();
    expect((await items.next()).value).toBe(0);

    // the old authority is gone with the old certificates
    const next = await Authority.found('the next authority');
    const renewed = { ca: next.ca, ...(await next.certify(['127.0.0.1'])) };
    files.dial = renewed;
    files.listen = renewed;
    await Promise.all(both.map((grid) => grid.reloadTls()));
    const { serialNumber } = new X509Certificate(renewed.cert);
    for (const grid of both) expect(await shown(grid.local, renewed)).toBe(serialNumber);
    // whoever still has what was there before comes no more in, nor does its authority vouch for them
    await expect(RawDialer.open(b.local, '', { ...own, ca: next.ca })).rejects.toThrow();
    await expect(shown(b.local, { ...own, ca })).rejects.toThrow('self-signed certificate in certificate chain');
    for (let n = 1; n < 200; n++) expect((await items.next()).value).toBe(n);
    const seen = calls;
    await until(() => calls > seen + 20, 'calls go on');
    stopped = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
    for (const grid of both) expect(grid.stats().peers[0]).toMatchObject({ state: 'connected', reconnects: 0 });
    expect(bookOf(a).lines).toEqual(['TLS is reloaded: connections from now on use it']);
    expect(bookOf(b).lines[0]).toBe('TLS is reloaded: connections from now on use it');
    stream.cancel();

    // a new connection shows and checks what is new, both ways: the old ones would be refused by either end
    await b.close();
    const hosts = a.options.hosts;
    const again = make(b.local, hosts, {
      tls: renewed,
      listen: { tls: { ...renewed, requestCert: true, rejectUnauthorized: true } },
    });
    await again.listen();
    void again.start();
    await allConnected(a, again);
    await echo(a, again);
  });

  it.each<[string, (files: Files) => void, RegExp]>([
    [
      'a certificate that cannot be read',
      (files) => (files.listen = { cert: 'x', key: 'y' }),
      /result of listen\.tls\(\)\.cert cannot be used/,
    ],
    [
      'a key of another kind',
      (files) => (files.dial = { ...files.dial, key: 'garbage' }),
      /result of tls\(\)\.key cannot be used/,
    ],
    [
      'a path in place of an authority',
      (files) => (files.dial = { ...files.dial, ca: '/etc/ssl/ca.pem' }),
      /result of tls\(\)\.ca cannot be used: it is no PEM; give the PEM itself, not its path/,
    ],
    [
      'a version too low',
      (files) => (files.listen = { ...files.listen, minVersion: 'TLSv1' }),
      /minVersion is 'TLSv1'/,
    ],
    [
      'nothing',
      (files) => (files.dial = undefined as unknown as ConnectionOptions),
      /result of tls\(\) is undefined; it must be/,
    ],
  ])('with %s keeps what was there, at both ends, and says so', async (_, spoil, text) => {
    const { both, files } = await renewablePair();
    const [a, b] = both;
    const before = await shown(b.local, { ca, ...own });
    // the other half would do: it must not count without its partner
    const fresh = await authority.certify(['127.0.0.1']);
    files.listen = { ...files.listen, ...fresh };
    spoil(files);
    const error = await rejectionOf(b.reloadTls());
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(text);
    expect(bookOf(b).lines).toEqual([`TLS is not reloaded, what was there before stays: ${error.message}`]);
    expect(await shown(b.local, { ca, ...own })).toBe(before);
    await echo(a, b);
    // connections are made as before: TLS lets this one through to the question for its token
    expect((await RawDialer.refused(b.local, '', { ca, ...own })).status).toBe(401);
  });

  it('says that there is nothing to ask, and what a function threw; nobody has to listen to it', async () => {
    const [a] = await pair(() => ({ tls: { ca } }));
    expect((await rejectionOf(a.reloadTls())).code).toBe('FAILED_PRECONDITION');
    let broken = false;
    const [c, d] = await pair((dials) => {
      if (!dials) return {};
      return {
        tls: () => {
          if (broken) throw new Error('no such file');
          return { ca };
        },
      };
    });
    await allConnected(c, d);
    broken = true;
    void c.reloadTls();
    await until(() => bookOf(c).lines.length > 0, 'a line');
    expect(bookOf(c).lines).toEqual(['TLS is not reloaded, what was there before stays: no such file']);
  });

  it('renews what the listener shows for a name', async () => {
    const { both, files } = await renewablePair();
    const [, { local }] = both;
    const numberOf = ({ cert }: HostCertificate): string => new X509Certificate(cert).serialNumber;
    const [one, two] = await Promise.all([0, 1].map(() => authority.certify(['one.invalid'])));
    for (const named of [one, two, undefined]) {
      const context = named && createSecureContext({ ...named, ca });
      const SNICallback: ServerOptions['SNICallback'] = (name, done) =>
        done(null, name === 'one.invalid' ? context : undefined);
      files.listen = { ...own, ca, ...(named && { SNICallback }) };
      await both[1].reloadTls();
      const answers = ['one.invalid', 'two.invalid'].map((servername) =>
        shown(local, { ...own, ca, servername, checkServerIdentity: () => undefined }),
      );
      expect(await Promise.all(answers)).toEqual([numberOf(named ?? own), numberOf(own)]);
    }
  });

  it('asks one after the other: the last one counts', async () => {
    const { both, files } = await renewablePair();
    const [, b] = both;
    const certificates = await Promise.all(Array.from({ length: 5 }, () => authority.certify(['127.0.0.1'])));
    const reloads = certificates.map((certificate) => {
      files.listen = { ...files.listen, ...certificate };
      return b.reloadTls();
    });
    await Promise.all(reloads);
    expect(await shown(b.local, { ca, ...own })).toBe(new X509Certificate(certificates.at(-1)!.cert).serialNumber);
  });
});
