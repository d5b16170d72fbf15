import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { GridManager, type GridOptions } from '../../lib/manager/index.js';
import { INTERVALS, LIMITS } from '../../lib/manager/limits.js';
import { verifyOptions } from '../../lib/manager/verify-options.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { thrownBy } from './refusal.js';

const SECRET = 'a secret of the test, long enough for it';
const GOOD: GridOptions = { local: 'http://a:1', hosts: ['http://a:1', 'http://b:1'], auth: { secret: SECRET } };

function refused(change: object): string {
  const error = thrownBy(() => verifyOptions({ ...GOOD, ...change }));
  expect(error.code).toBe('INVALID_ARGUMENT');
  return error.message;
}

describe('options', () => {
  it('fills the defaults in, and freezes what it gives', () => {
    const settings = verifyOptions(GOOD);
    expect(settings).toMatchObject({
      name: 'default',
      route: '/grid/v1',
      crc: 'auto',
      drainTimeoutMs: 10_000,
      listen: {},
    });
    expect(settings.limits).toBe(LIMITS);
    expect(settings.intervals).toBe(INTERVALS);
    expect(settings.waitForPeers).toEqual({ count: 0, timeoutMs: undefined });
    expect(Object.isFrozen(settings) && Object.isFrozen(LIMITS) && Object.isFrozen(INTERVALS)).toBe(true);
  });

  it('takes the limits that differ and keeps the others', () => {
    const { limits, intervals } = verifyOptions({
      ...GOOD,
      limits: { openStreams: 5, queuedBytes: undefined },
      intervals: { pingMs: 50 },
    });
    expect(limits).toEqual({ ...LIMITS, openStreams: 5 });
    expect(intervals).toEqual({ ...INTERVALS, pingMs: 50 });
    expect(Object.isFrozen(limits)).toBe(true);
  });

  it.each<[string, object, string]>([
    ['an unknown option', { locale: 1 }, 'unknown option locale; known are local, hosts'],
    ['an unknown limit', { limits: { openStream: 1 } }, 'unknown option limits.openStream; known are messageBytes'],
    ['an unknown interval', { intervals: { ping: 1 } }, 'unknown option intervals.ping'],
    ['an unknown part of auth', { auth: { secret: SECRET, alg: 'x' } }, 'unknown option auth.alg; known are secret'],
    ['an unknown part of listen', { listen: { address: 'x' } }, 'unknown option listen.address; known are host, port'],
    ['local undefined', { local: undefined }, 'local is undefined; is the environment variable set?'],
    ['local empty', { local: '' }, "local is ''; is the environment variable set?"],
    ['local no string', { local: 5 }, "local is 5; it must be this process's origin"],
    ['local no origin', { local: 'a:1/x' }, "local: 'a:1/x' is not an origin"],
    ['hosts missing', { hosts: undefined }, 'hosts is undefined; it must be a list of origins'],
    ['hosts a string', { hosts: 'http://a:1' }, "hosts is 'http://a:1'; it must be a list of origins"],
    ['hosts of numbers', { hosts: [1] }, 'hosts is [ 1 ]; it must be a list'],
    ['hosts without local', { hosts: ['http://b:1'] }, "local: 'http://a:1' is not one of the hosts"],
    ['auth missing', { auth: undefined }, "auth is missing; it must be { secret }, { sign, verify } or 'none'"],
    ['auth another word', { auth: 'nothing' }, 'auth is a string; it must be'],
    [
      'a secret undefined',
      { auth: { secret: undefined } },
      'auth.secret is undefined; is the environment variable set?',
    ],
    ['a list without secrets', { auth: { secret: [] } }, 'auth.secret is an empty list'],
    [
      'a secret of 31 bytes',
      { auth: { secret: 'x'.repeat(31) } },
      'auth.secret has 31 bytes; it must have at least 32',
    ],
    ['the second secret short', { auth: { secret: [SECRET, 'short'] } }, 'auth.secret[1] has 5 bytes'],
    ['a secret that is a number', { auth: { secret: 12345 } }, 'auth.secret is a number; it must be a string'],
    ['sign alone', { auth: { sign: () => '' } }, 'auth.verify is undefined; it must be a function'],
    ['a name that is empty', { name: '' }, "name is ''"],
    ['null as a name', { name: null }, 'name is null; it must be a string that is not empty'],
    ['null as a route', { route: null }, 'route is null; it must be a path'],
    ['null as crc', { crc: null }, "crc is null; it must be 'auto', true, false"],
    ['null as a time to drain', { drainTimeoutMs: null }, 'drainTimeoutMs is null; it must be a whole number'],
    ['a route without slash', { route: 'grid' }, "route is 'grid'; it must be a path that starts with /"],
    ['a route with a query', { route: '/grid?x' }, "route is '/grid?x'"],
    ['a route that is not normal', { route: '/a/../b' }, "route is '/a/../b'"],
    ['a limit of 0', { limits: { openStreams: 0 } }, 'limits.openStreams is 0; it must be a whole number from 1 to'],
    ['a limit that is a string', { limits: { openStreams: '5' } }, "limits.openStreams is '5'"],
    ['a limit that is NaN', { limits: { openStreams: NaN } }, 'limits.openStreams is NaN'],
    ['limits that are a list', { limits: [] }, 'limits is []; it must be an object'],
    [
      'a frame smaller than a message',
      { limits: { messageBytes: 2 ** 25 } },
      'limits.frameBytes is 16842752; it must be at least limits.messageBytes',
    ],
    [
      'a frame too small for the protocol',
      { limits: { messageBytes: 100, frameBytes: 65_535 } },
      'it must be at least 65536',
    ],
    ['an interval that is broken', { intervals: { pingMs: 0.5 } }, 'intervals.pingMs is 0.5'],
    ['crc of another kind', { crc: 'yes' }, "crc is 'yes'; it must be 'auto', true, false"],
    [
      'a codec without decode',
      { codec: { encode: () => new Uint8Array() } },
      'it must be an object with encode, decode',
    ],
    ['a dialer that is none', { dialer: 'x' }, "dialer is 'x'; it must be a function"],
    ['a logger that is none', { logger: console.log }, 'it must be an object with log, warn, error'],
    ['tls that is a string', { tls: 'key' }, "tls is a string; it must be Node's TLS options"],
    ['more peers than there are', { waitForPeers: 2 }, 'waitForPeers is 2; it must be a whole number from 0 to 1: so'],
    [
      'a wait of another kind',
      { waitForPeers: 'all' },
      "waitForPeers is 'all'; it must be true, false, a whole number from 0 to 1 or { count, timeoutMs }",
    ],
    ['a wait without time', { waitForPeers: { timeoutMs: 0 } }, 'waitForPeers.timeoutMs is 0'],
    ['a negative drain', { drainTimeoutMs: -1 }, 'drainTimeoutMs is -1'],
    ['a port out of range', { listen: { port: 65_536 } }, 'listen.port is 65536'],
    ['an empty listen host', { listen: { host: '' } }, "listen.host is ''"],
  ])('refuses %s', (_, change, text) => expect(refused(change)).toContain(text));

  it('has the lines of a grid with a name say whose they are', () => {
    const lines: string[] = [];
    const add = (line: string): void => void lines.push(line);
    const { logger } = verifyOptions({ ...GOOD, name: 'locks', logger: { log: add, warn: add, error: add } });
    logger.log('a');
    logger.warn('b');
    logger.error('c');
    logger.debug?.('not heard');
    expect(lines).toEqual(['[locks] a', '[locks] b', '[locks] c']);
  });

  it('bears a logger whose methods throw or reject', async () => {
    const refuse = (): never => {
      throw new Error('the disk is full');
    };
    const { logger } = verifyOptions({
      ...GOOD,
      logger: { log: refuse, warn: refuse, debug: refuse, error: (): unknown => Promise.reject(new Error('full')) },
    });
    for (const level of ['log', 'warn', 'error', 'debug'] as const) logger[level]?.('a');
    await turn();
  });

  it('hears the failure of a line whatever kind of promise it has', async () => {
    let heard = false;
    const written = {
      then(_: unknown, refused: (error: Error) => void): void {
        heard = true;
        refused(new Error('full'));
      },
    };
    const { logger } = verifyOptions({ ...GOOD, logger: { log: () => {}, warn: () => {}, error: () => written } });
    logger.error('a');
    await turn();
    expect(heard).toBe(true);
  });

  it('dials on where the line about a peer that is away cannot be written', async () => {
    const hosts = localDials('http://a:1', 'http://b:1') ? ['http://a:1', 'http://b:1'] : ['http://b:1', 'http://a:1'];
    const clock = new ManualClock(0, () => 0);
    const lines: string[] = [];
    const warn = (line: string): never => {
      lines.push(line);
      throw new Error('the disk is full');
    };
    let dials = 0;
    const dialer = (): Promise<never> => {
      dials++;
      return Promise.reject(new Error('away'));
    };
    const logger = { log: () => {}, warn, error: () => {} };
    const grid = new GridManager({ local: hosts[0], hosts, auth: { secret: SECRET }, clock, logger, dialer });
    void grid.start();
    await until(() => dials === 1, 'the first dial');
    for (let second = 2; second <= 10; second++) {
      await turn();
      clock.advance(INTERVALS.redialMs);
      await until(() => dials === second, `dial ${second}`);
    }
    expect(lines).toEqual([`cannot reach ${hosts[1]}: away (2 attempts; it is tried on)`]);
    await grid.close();
  });

  it('never shows a secret', () => {
    for (const secret of ['hunter2', ['hunter2'], { password: 'hunter2' }, ['hunter2', 5]]) {
      expect(refused({ auth: { secret } })).not.toContain('hunter2');
    }
    const places: object[] = [
      { auth: 'hunter2' },
      { auth: ['hunter2'] },
      { auth: { sign: 'hunter2', verify: 'hunter2' } },
      { tls: 'hunter2' },
      { tls: ['hunter2'] },
      { tls: { key: 'hunter2', cert: 'hunter2' } },
      { listen: [{ tls: { key: 'hunter2' } }] },
      { listen: { tls: 'hunter2' } },
    ];
    for (const change of places) expect(refused(change)).not.toContain('hunter2');
  });

  it('gives settings that may be logged', () => {
    const auth = { secret: 'hunter2'.repeat(5) };
    const settings = verifyOptions({ ...GOOD, auth, tls: { passphrase: 'hunter2' }, listen: { port: 1 } });
    expect(settings).toMatchObject({ auth: 'secret', tls: true, listen: { port: 1, tls: false } });
    expect(inspect(settings, { depth: Infinity, showHidden: true })).not.toContain('hunter2');
    const custom = Object.assign(Object.create({ sign: () => '', verify: () => {} }) as object, { key: 'hunter2' });
    expect(verifyOptions({ ...GOOD, auth: custom as never }).auth).toBe('custom');
    expect(verifyOptions({ ...GOOD, auth: 'none' }).auth).toBe('none');
  });

  it('refuses what is no options object at all', () => {
    expect(thrownBy(() => verifyOptions(undefined as unknown as GridOptions)).message).toContain(
      'options is undefined',
    );
  });
});
