// Whatever a grid prints, throws or tells of itself, on good days and on bad ones: no secret, no token, no key in it.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { within } from '../conformance/hang-budget.js';
import { Authority } from '../manager/certificates.js';

const FIXTURE = join(import.meta.dirname, 'secrets-main.js');

/** Random, as long as a real one; no part of it can be there by chance. */
function secret(bytes = 36): string {
  return randomBytes(bytes).toString('base64url');
}

/** The ways in which a text shows up in what Node prints. Parts of it count: a text that was cut is no excuse. */
function formsOf(text: string): string[] {
  const middle = text.slice(Math.floor(text.length / 3), Math.floor(text.length / 3) + 12);
  const bytes = Buffer.from(text).subarray(0, 9);
  return [
    text,
    text.slice(0, 12),
    middle,
    text.slice(-12),
    bytes.toString('base64'),
    bytes.toString('hex'),
    bytes.toString('hex').replaceAll(/(..)(?=.)/g, '$1 '),
    [...bytes].join(', '),
    [...bytes].join(','),
  ];
}

/** Of a JWT its signature is the secret part, and the whole. */
function formsOfToken(token: string): string[] {
  const parts = token.split('.');
  return parts.length === 3 ? [token, parts[2]!, parts[2]!.slice(0, 12)] : formsOf(token);
}

/** The lines of a PEM but its frame. */
function formsOfKey(pem: string): string[] {
  const lines = pem.split('\n').filter((line) => line.length > 12 && !line.startsWith('---'));
  return lines.flatMap((line) => [line, line.slice(10, 30)]);
}

interface Told {
  readonly output: string;
  readonly secrets: Record<string, string[]>;
}

async function told(): Promise<Told> {
  const authority = await Authority.found('an authority');
  const [own, another, expired] = await Promise.all([
    authority.certify(['127.0.0.1', 'localhost']),
    authority.certify(['127.0.0.1']),
    authority.certify(['127.0.0.1'], { endsInMs: -1_000 }),
  ]);
  const known = { secret: secret(), other: secret(), short: secret(20), token: secret(60) };
  const { NODE_OPTIONS: _jestOnly, ...env } = process.env;
  const child = fork(FIXTURE, [], { execArgv: ['--unhandled-rejections=strict'], env, silent: true });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  let tokens: string[] = [];
  child.on('message', (seen: string[]) => (tokens = seen));
  const left = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  child.send({ ...known, ca: authority.ca, own, wrongKey: another.key, expired });
  try {
    const code = await within(left, 'the process does not end', 60_000);
    if (code !== 0) throw new Error(`the process ended with ${code}: ${output.slice(-3_000)}`);
  } finally {
    child.kill('SIGKILL');
  }
  const keys = [own, another, expired].flatMap(({ key }) => formsOfKey(key));
  const others = Object.entries(known).map(([name, text]) => [name, formsOf(text)] as const);
  const jwts = tokens.filter((seen) => seen.split('.').length === 3);
  return { output, secrets: { ...Object.fromEntries(others), keys, jwts: jwts.flatMap(formsOfToken) } };
}

let all: Told;

beforeAll(async () => {
  all = await told();
}, 90_000);

it('everything was tried: each scene has left its lines', () => {
  const { output, secrets } = all;
  for (const line of [
    '== done',
    '-- secret in a list as auth',
    'auth.secret[1] has 27 bytes',
    'tls cannot be used',
    '-- context',
    '-- handlers',
    'the secret is reloaded',
    'the secret is not reloaded',
    'TLS is reloaded',
    'TLS is not reloaded',
    'it was not signed with our secret',
    'there is no token',
    'your clock is 3600 s',
    'the certificate is not accepted: CERT_HAS_EXPIRED',
    'Invalid character in header content',
    'is not one of allowedOrigins',
    'refused more than 8 times in this minute',
    'this host has not started yet',
    'before the grid has started. The grid starts after all hooks of the app',
    '[Nest]',
  ]) {
    expect(output).toContain(line);
  }
  expect(secrets['jwts']!.length).toBeGreaterThan(9);
  expect(secrets['keys']!.length).toBeGreaterThan(9);
});

it.each(['secret', 'other', 'short', 'token', 'keys', 'jwts'])('and none of them shows: %s', (name) => {
  const { output, secrets } = all;
  const leaks = secrets[name]!.filter((form) => output.includes(form));
  // around the place, without the secret itself: the report of a test is a log, too
  const places = leaks.map((form) => output.slice(Math.max(0, output.indexOf(form) - 300), output.indexOf(form)));
  expect(places).toEqual([]);
});
