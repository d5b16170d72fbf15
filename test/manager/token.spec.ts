import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { secretAuth } from '../../lib/manager/token.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { rejectionOf } from './refusal.js';

const A = 'http://a:9000';
const B = 'http://b:9000';
const C = 'http://c:9000';
const HOSTS = [A, B];
const OLD = 'the old secret, thirty-two bytes or more';
const NEW = 'the new secret, thirty-two bytes or more';

function parts(token: string): Record<string, unknown>[] {
  return token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
}

function forge(header: object, claims: object, secret?: string): string {
  const body = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const { alg } = header as { alg?: string };
  return `${body}.${
    secret === undefined
      ? ''
      : createHmac(alg === 'HS512' ? 'sha512' : 'sha256', secret)
          .update(body)
          .digest('base64url')
  }`;
}

describe('tokens by a shared secret', () => {
  const clock = new ManualClock();
  const auth = secretAuth([OLD], HOSTS, clock);
  const now = clock.date() / 1_000;
  const claims = { iss: A, aud: B, iat: now, exp: now + 900 };

  it('name dialer, acceptor and fifteen minutes', async () => {
    const [header, body] = parts(await auth.sign({ from: A, to: B }));
    expect(header).toEqual({ alg: 'HS256' });
    expect(body).toEqual(claims);
  });

  it('prove the claims, with or without knowing who dials', async () => {
    const token = await auth.sign({ from: A, to: B });
    await auth.verify(token, { from: A, to: B });
    await auth.verify(token, { from: undefined, to: B });
  });

  it('rotate: the first secret signs, all verify', async () => {
    const both = secretAuth([NEW, OLD], HOSTS, clock);
    await both.verify(await auth.sign({ from: A, to: B }), { from: A, to: B });
    await secretAuth([NEW], HOSTS, clock).verify(await both.sign({ from: A, to: B }), { from: A, to: B });
    const error = await rejectionOf(
      Promise.resolve(auth.verify(await both.sign({ from: A, to: B }), { from: A, to: B })),
    );
    expect(error.message).toBe('it was not signed with our secret');
  });

  it('say whose they are where that is no host of the list', async () => {
    const token = forge({ alg: 'HS256' }, { ...claims, iss: 'http://x"y:1' }, OLD);
    const error = await rejectionOf(Promise.resolve(auth.verify(token, { from: undefined, to: B })));
    expect(error.message).toBe('it is not made by a host of the list, but by "http://x\\"y:1"');
  });

  it('expire after fifteen minutes', async () => {
    const later = new ManualClock();
    const timed = secretAuth([OLD], HOSTS, later);
    const token = await timed.sign({ from: A, to: B });
    later.advance(15 * 60_000 - 1_000);
    await timed.verify(token, { from: A, to: B });
    later.advance(2_000);
    expect((await rejectionOf(Promise.resolve(timed.verify(token, { from: A, to: B })))).message).toBe('it is expired');
  });

  it.each([
    ['another audience', forge({ alg: 'HS256' }, { ...claims, aud: C }, OLD), `not made for ${B}`],
    ['no audience', forge({ alg: 'HS256' }, { ...claims, aud: undefined }, OLD), `not made for ${B}`],
    ['another issuer', forge({ alg: 'HS256' }, { ...claims, iss: B }, OLD), `not made by ${A}`],
    ['no end', forge({ alg: 'HS256' }, { ...claims, exp: undefined }, OLD), '"exp" is missing or wrong'],
    ['no date', forge({ alg: 'HS256' }, { ...claims, iat: undefined }, OLD), '"iat" is missing or wrong'],
    ['alg none', forge({ alg: 'none' }, claims), 'not signed with HS256'],
    ['alg none, with a signature', forge({ alg: 'none' }, claims, OLD), 'not signed with HS256'],
    ['another algorithm', forge({ alg: 'HS512' }, claims, OLD), 'not signed with HS256'],
    ['a foreign secret', forge({ alg: 'HS256' }, claims, NEW), 'not signed with our secret'],
    ['garbage', 'a.b.c', 'not a signed JWT'],
    ['nothing', '', 'not a signed JWT'],
  ])('are refused with %s, and the text holds neither token nor secret', async (_, token, text) => {
    const error = await rejectionOf(Promise.resolve(auth.verify(token, { from: A, to: B })));
    expect(error.code).toBe('UNAUTHENTICATED');
    expect(error.message).toContain(text);
    expect(error.message).not.toContain(OLD);
    if (token.length > 8) expect(error.message).not.toContain(token);
  });

  it('of a host outside the list are refused before it is known who dials', async () => {
    const token = forge({ alg: 'HS256' }, { ...claims, iss: C }, OLD);
    expect((await rejectionOf(Promise.resolve(auth.verify(token, { from: undefined, to: B })))).message).toContain(
      'a host of the list',
    );
  });
});
