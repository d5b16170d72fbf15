import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GridManager, GridOptions } from '../../lib/manager/index.js';
import { verifyOptions } from '../../lib/manager/verify-options.js';
import { secretAuth } from '../../lib/manager/token.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { systemClock } from '../../lib/time/index.js';
import { House, Neighbourhood, SECRET } from './neighbourhood.js';
import { RawDialer } from './raw-dialer.js';
import { thrownBy } from './refusal.js';

const APP = 'https://app.example.com';

let hood: Neighbourhood;
let dialer: House;
let acceptor: House;

beforeEach(async () => {
  hood = await Neighbourhood.build(2);
  const [a, b] = hood.houses as [House, House];
  [dialer, acceptor] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
});

afterEach(() => hood.close());

function running(options: Partial<GridOptions> = {}): GridManager {
  const grid = acceptor.grid(options);
  void grid.start();
  return grid;
}

function token(): Promise<string> {
  const auth = secretAuth([SECRET], hood.origins, systemClock);
  return Promise.resolve(auth.sign({ from: dialer.origin, to: acceptor.origin }));
}

describe('the Origin header', () => {
  it.each([APP, 'null', '', 'http://127.0.0.1:1'])('%j is refused by default, with the right token', async (origin) => {
    running();
    const answer = await RawDialer.refused(acceptor.origin, await token(), { headers: { origin } });
    expect(answer).toEqual({ status: 403, body: `the origin ${JSON.stringify(origin)} is not one of allowedOrigins` });
    const from = `127.0.0.1, which says it is ${dialer.origin}`;
    expect(acceptor.log.lines).toEqual([`refused a connection from ${from}: ${answer.body}`]);
  });

  it('of the older WebSocket is the same header', async () => {
    running();
    const headers = { 'sec-websocket-origin': APP, 'sec-websocket-version': '8' };
    expect(await RawDialer.refused(acceptor.origin, await token(), { headers })).toMatchObject({ status: 403 });
  });

  it.each([
    `${APP}/`,
    `${APP}:443`,
    'https://app.example.com.evil.test',
    'https://xapp.example.com',
    'http://app.example.com',
    'HTTPS://APP.EXAMPLE.COM',
    `${APP}, ${APP}`,
    'null',
    '*',
  ])('that is only like an allowed one is refused: %j', async (origin) => {
    running({ allowedOrigins: [APP] });
    expect(await RawDialer.refused(acceptor.origin, await token(), { headers: { origin } })).toMatchObject({
      status: 403,
    });
  });

  it('that is allowed changes nothing else: a token is needed, and Connect', async () => {
    const grid = running({ allowedOrigins: ['http://other.test', APP] });
    const headers = { origin: APP };
    expect(await RawDialer.refused(acceptor.origin, '', { headers })).toMatchObject({ status: 401 });
    const raw = await RawDialer.open(acceptor.origin, await token(), { headers });
    expect(await raw.connect(dialer.origin, await token())).toMatchObject({ accepted: true });
    await grid.peers[0]!.waitForConnect({ timeoutMs: 30_000 });
    raw.ws.terminate();
  });

  it('is refused again and again for 60 times in a minute, then without looking', async () => {
    running();
    const headers = { origin: APP };
    for (let n = 0; n < 60; n++) {
      expect((await RawDialer.refused(acceptor.origin, '', { headers })).status).toBe(403);
    }
    expect((await RawDialer.refused(acceptor.origin, '', { headers })).status).toBe(429);
    expect(acceptor.log.matching(/refused a connection/)).toHaveLength(1);
    // who has a token of a host is not counted with them
    (await RawDialer.open(acceptor.origin, await token())).ws.terminate();
  });

  it('that is long is not repeated whole', async () => {
    running();
    const headers = { origin: `https://${'x'.repeat(8_000)}` };
    const answer = await RawDialer.refused(acceptor.origin, '', { headers });
    expect(answer.body.length).toBeLessThan(300);
  });
});

describe('the option allowedOrigins', () => {
  const base = { local: 'http://a:1', hosts: ['http://a:1'], auth: { secret: SECRET } };

  it('is empty by default, and frozen', () => {
    expect(verifyOptions(base).allowedOrigins).toEqual([]);
    const given = [APP];
    const { allowedOrigins } = verifyOptions({ ...base, allowedOrigins: given });
    given.push('https://late.example.com');
    expect(allowedOrigins).toEqual([APP]);
    expect(Object.isFrozen(allowedOrigins)).toBe(true);
  });

  it.each<[string, unknown, string]>([
    ['a string', APP, `allowedOrigins is '${APP}'; it must be a list of origins`],
    ['a path', [APP, `${APP}/`], `allowedOrigins[1] is '${APP}/'; it must be an origin as browsers send it`],
    ['a default port', [`${APP}:443`], 'no default port'],
    ['upper case', ['https://App.example.com'], 'lower case'],
    ['a pattern', ['*'], 'no pattern'],
    ['a pattern of names', ['https://*.example.com/'], 'no pattern'],
    ['null', ['null'], "allowedOrigins[0] is 'null'"],
    ['no string', [5], 'allowedOrigins[0] is 5'],
    ['another scheme', ['ftp://x'], "allowedOrigins[0] is 'ftp://x'"],
  ])('refuses %s', (_, allowedOrigins, text) => {
    const error = thrownBy(() => verifyOptions({ ...base, allowedOrigins } as GridOptions));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(text);
  });
});
