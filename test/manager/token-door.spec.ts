import { createHmac, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom } from 'rxjs';
import type { GridEvent, GridManager } from '../../lib/manager/index.js';
import { secretAuth } from '../../lib/manager/token.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { systemClock } from '../../lib/time/index.js';
import { House, Neighbourhood, SECRET } from './neighbourhood.js';
import { get, RawDialer } from './raw-dialer.js';

const LATER = 15 * 60;

interface Names {
  readonly dialer: string;
  readonly acceptor: string;
  readonly third: string;
}

let hood: Neighbourhood;
let acceptor: House;
let grid: GridManager;
let names: Names;

beforeEach(async () => {
  hood = await Neighbourhood.build(3);
  const [a, b, c] = hood.houses as [House, House, House];
  // one that is dialed by another
  const [dialer, dialed] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
  acceptor = dialed;
  names = { dialer: dialer.origin, acceptor: dialed.origin, third: c.origin };
  grid = acceptor.grid({ intervals: { redialMs: 60_000 } });
  void grid.start();
});

afterEach(() => hood.close());

function base64(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function claimsOf({ dialer, acceptor: to }: Names, change: object = {}): object {
  const now = Math.floor(Date.now() / 1_000);
  return { iss: dialer, aud: to, iat: now, exp: now + LATER, ...change };
}

function hmac(header: object, claims: object, secret = SECRET, hash = 'sha256'): string {
  const body = `${base64(header)}.${base64(claims)}`;
  return `${body}.${createHmac(hash, secret).update(body).digest('base64url')}`;
}

function tampered(token: string, change: object): string {
  const [header, claims, signature] = token.split('.') as [string, string, string];
  const changed = { ...(JSON.parse(Buffer.from(claims, 'base64url').toString()) as object), ...change };
  return [header, base64(changed), signature].join('.');
}

function good(): string {
  return hmac({ alg: 'HS256' }, claimsOf(names));
}

/** What a forger makes, and what is said of it. */
const FORGED: [string, (names: Names) => string, string][] = [
  ['no token', () => '', 'there is no token'],
  ['garbage', () => 'a.b.c', 'not a signed JWT'],
  ['alg none, unsigned', (n) => `${base64({ alg: 'none' })}.${base64(claimsOf(n))}.`, 'not signed with HS256'],
  ['alg none, signed', (n) => hmac({ alg: 'none' }, claimsOf(n)), 'not signed with HS256'],
  ['alg NONE', (n) => `${base64({ alg: 'NONE' })}.${base64(claimsOf(n))}.`, 'not signed with HS256'],
  ['no alg', (n) => hmac({ typ: 'JWT' }, claimsOf(n)), 'not a signed JWT'],
  ['alg HS512', (n) => hmac({ alg: 'HS512' }, claimsOf(n), SECRET, 'sha512'), 'not signed with HS256'],
  ['alg HS384', (n) => hmac({ alg: 'HS384' }, claimsOf(n), SECRET, 'sha384'), 'not signed with HS256'],
  ['alg RS256, the secret as its key', (n) => hmac({ alg: 'RS256' }, claimsOf(n)), 'not signed with HS256'],
  [
    'alg RS256, signed by a key of its own',
    (n) => {
      const body = `${base64({ alg: 'RS256' })}.${base64(claimsOf(n))}`;
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
      return `${body}.${signBytes('sha256', Buffer.from(body), privateKey).toString('base64url')}`;
    },
    'not signed with HS256',
  ],
  ['a critical header', (n) => hmac({ alg: 'HS256', crit: ['x'], x: 1 }, claimsOf(n)), 'not a signed JWT'],
  ['another secret', (n) => hmac({ alg: 'HS256' }, claimsOf(n), `${SECRET}x`), 'not signed with our secret'],
  ['no signature', (n) => `${base64({ alg: 'HS256' })}.${base64(claimsOf(n))}.`, 'not signed with our secret'],
  ['half a signature', (n) => hmac({ alg: 'HS256' }, claimsOf(n)).slice(0, -20), 'not signed with our secret'],
  [
    'a payload changed after it was signed',
    (n) => tampered(hmac({ alg: 'HS256' }, claimsOf(n)), { exp: 9_999_999_999 }),
    'not signed with our secret',
  ],
  ['no issuer', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { iss: undefined })), 'not made by'],
  ['a stranger as issuer', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { iss: 'http://x:1' })), 'not made by'],
  ['a list as issuer', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { iss: [n.dialer] })), 'not made by'],
  ['no audience', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { aud: undefined })), 'not made for'],
  ['another host as audience', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { aud: n.third })), 'not made for'],
  ['no end', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { exp: undefined })), '"exp" is missing or wrong'],
  ['an end that is no number', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { exp: 'never' })), '"exp" is missing or'],
  ['an end that is over', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { exp: 1_000 })), 'it is expired'],
  ['no date', (n) => hmac({ alg: 'HS256' }, claimsOf(n, { iat: undefined })), '"iat" is missing or wrong'],
  [
    'a date that is to come',
    (n) => hmac({ alg: 'HS256' }, claimsOf(n, { iat: Math.floor(Date.now() / 1_000) + 310 })),
    'in the future',
  ],
  [
    'a beginning that is to come',
    (n) => hmac({ alg: 'HS256' }, claimsOf(n, { nbf: Math.floor(Date.now() / 1_000) + 310 })),
    '"nbf" is missing or wrong',
  ],
];

/** What the log says of the name, unless the reason holds it. */
function saying(peer: string | undefined, reason: string): string {
  return peer === undefined || reason.includes(peer) ? '' : `, which says it is ${peer}`;
}

describe('a token over a socket', () => {
  it.each(FORGED)('with %s does not open a WebSocket', async (_, forge, text) => {
    // hosts that this one dials may refuse it meanwhile
    const incoming = (event: GridEvent) => event.type === 'refused' && event.direction === 'incoming';
    const refused = firstValueFrom(grid.events.pipe(filter(incoming)));
    const token = forge(names);
    const answer = await RawDialer.refused(acceptor.origin, token);
    expect(answer).toEqual({ status: 401, body: expect.stringContaining(text) });
    const { peer } = (await refused) as Extract<GridEvent, { type: 'refused' }>;
    // whatever is wrong with it, it may name a host
    const lines = [`refused a connection from 127.0.0.1${saying(peer, answer.body)}: ${answer.body}`];
    expect(acceptor.log.matching(/refused a connection/)).toEqual(lines);
    expect(grid.peers.map(({ state }) => state)).not.toContain('connected');
    if (token.length > 10) for (const part of token.split('.')) if (part) expect(answer.body).not.toContain(part);
  });

  it.each(FORGED)('with %s does not connect, whatever the upgrade had', async (name, forge, text) => {
    const raw = await RawDialer.open(acceptor.origin, good());
    const closed = raw.closed();
    const token = forge(names);
    const answer = await raw.connect(names.dialer, token);
    expect(answer.accepted).toBe(false);
    expect(answer.rejectedReason).toContain(name === 'no token' ? 'not a signed JWT' : text);
    expect((await closed)[0]).toBe(1008);
    const says = saying(names.dialer, answer.rejectedReason);
    const lines = [`refused a connection from 127.0.0.1${says}: ${answer.rejectedReason}`];
    expect(acceptor.log.matching(/refused a connection/)).toEqual(lines);
    expect(grid.peers.map(({ state }) => state)).not.toContain('connected');
  });

  it('that is right in the upgrade and in Connect is let in, with the clocks 5 minutes apart too', async () => {
    for (const off of [0, 290, -290]) {
      const now = Math.floor(Date.now() / 1_000) + off;
      const token = hmac({ alg: 'HS256' }, claimsOf(names, { iat: now, exp: now + LATER }));
      const raw = await RawDialer.open(acceptor.origin, token);
      expect(await raw.connect(names.dialer, token)).toMatchObject({ accepted: true });
      raw.ws.terminate();
    }
  });

  it('of one host does not open the door of another, nor connect as another', async () => {
    const auth = secretAuth([SECRET], hood.origins, systemClock);
    // seen on its way to the third host
    const seen = await auth.sign({ from: names.dialer, to: names.third });
    expect(await RawDialer.refused(acceptor.origin, seen)).toMatchObject({ status: 401 });
    // a host of the list that claims to be another one
    const own = await auth.sign({ from: names.third, to: names.acceptor });
    const raw = await RawDialer.open(acceptor.origin, own);
    const answer = await raw.connect(names.dialer, own);
    expect(answer).toMatchObject({
      accepted: false,
      rejectedReason: `the token is not valid: it is not made by ${names.dialer}`,
    });
  });

  it('in the address counts for nothing', async () => {
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const answer = await get(acceptor.origin, `/grid/v1?token=${good()}&access_token=${good()}`, upgrade);
    expect(answer).toMatchObject({ status: 401, body: expect.stringContaining('there is no token') });
    expect(acceptor.log.matching(/eyJ/)).toEqual([]);
  });

  it.each(['Basic', 'bearer-x', ''])('after another word than Bearer counts for nothing: "%s"', async (word) => {
    const headers = { authorization: `${word} ${good()}` };
    const answer = await RawDialer.refused(acceptor.origin, '', { headers });
    expect(answer).toMatchObject({ status: 401, body: expect.stringContaining('there is no token') });
  });
});
