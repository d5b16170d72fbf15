import { Buffer } from 'node:buffer';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom } from 'rxjs';
import type { GridEvent, GridManager, GridOptions } from '../../lib/manager/index.js';
import { secretAuth } from '../../lib/manager/token.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { systemClock, type Clock } from '../../lib/time/index.js';
import { encodeConnectRequest, Op, wireTimeOf } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { allConnected, House, Neighbourhood, SECRET } from './neighbourhood.js';
import { frameOf, RawDialer } from './raw-dialer.js';
import { rejectionOf } from './refusal.js';

/** Off by more than a busy machine takes from here to the test. */
const HOUR_MS = 3_600_000;
const OTHER_SECRET = 'another secret of the test, long enough for it';

let hood: Neighbourhood;
let dialer: House;
let acceptor: House;

beforeEach(async () => {
  hood = await Neighbourhood.build(2);
  const [a, b] = hood.houses as [House, House];
  [dialer, acceptor] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
});

afterEach(() => hood.close());

function running(house: House, options: Partial<GridOptions> = {}): GridManager {
  const grid = house.grid(options);
  void grid.start();
  return grid;
}

function clockOff(ms: number): Clock {
  return { ...systemClock, date: () => Date.now() + ms };
}

/** Any auth that keeps the header from refusing first, so that Connect is reached. */
const lax = { sign: () => 'lax', verify: () => {} };

function tokenOf(from: string, to: string): Promise<string> {
  return Promise.resolve(secretAuth([SECRET], hood.origins, systemClock).sign({ from, to }));
}

function refusalsOf(grid: GridManager): Promise<Extract<GridEvent, { type: 'refused' }>> {
  return firstValueFrom(grid.events.pipe(filter((event) => event.type === 'refused')));
}

describe('B40 the dialer is told why it is refused', () => {
  /** Both ends with their options; what each of them tells. */
  async function refusal(dialing: Partial<GridOptions>, accepting: Partial<GridOptions>): Promise<string> {
    const grid = dialer.grid(dialing);
    const other = acceptor.grid(accepting);
    const [out, back] = [refusalsOf(grid), refusalsOf(other)];
    void other.start();
    void grid.start();
    const [told, seen] = [await out, await back];
    expect(told).toMatchObject({ direction: 'outgoing', peer: acceptor.origin });
    expect(seen).toMatchObject({ direction: 'incoming', remoteAddress: '127.0.0.1' });
    expect(told.reason).toContain(seen.reason);
    // and it is logged at both ends, once however often it is tried
    await refusalsOf(grid);
    await refusalsOf(grid);
    expect(dialer.log.matching(/refuses us/)).toEqual([`${acceptor.origin} refuses us: ${told.reason}`]);
    // once: a reason may hold the name
    const name = seen.peer === undefined || seen.reason.includes(seen.peer) ? '' : `, which says it is ${seen.peer}`;
    expect(acceptor.log.matching(/refused a connection/)).toEqual([
      `refused a connection from 127.0.0.1${name}: ${seen.reason}`,
    ]);
    expect(grid.peers[0]!.state).toBe('connecting');
    if (seen.peer !== undefined) {
      const { cause } = await rejectionOf(other.peer(seen.peer).request(60));
      expect(cause).toMatchObject({ message: expect.stringContaining(`in its name: ${seen.reason}`) });
    }
    await grid.close();
    await until(() => acceptor.sockets === 0, 'the sockets are gone');
    return told.reason;
  }

  it('a wrong token in the header', async () => {
    expect(await refusal({ auth: { secret: OTHER_SECRET } }, {})).toBe(
      'HTTP 401: the token is not valid: it was not signed with our secret',
    );
    // on a machine with much to do that the dialer stays away is told as well
    const lines = acceptor.log.lines.filter((line) => !line.includes('has not connected'));
    expect(lines).toEqual([expect.stringContaining(`127.0.0.1, which says it is ${dialer.origin}: the`)]);
  });

  it('a wrong token in Connect', async () => {
    const verify = (_token: string, { from }: { from: string | undefined }): void => {
      if (from !== undefined) throw new Error(`no ${from} today`);
    };
    const reason = await refusal({ auth: lax }, { auth: { sign: lax.sign, verify } });
    expect(reason).toBe(`the token is not valid: no ${dialer.origin} today`);
  });

  it('no token', async () => {
    expect(await refusal({ auth: 'none' }, {})).toContain('HTTP 401: there is no token');
  });

  it.each([360_000, -360_000])('B41 a clock %i ms off', async (off) => {
    const reason = await refusal({ clock: clockOff(off) }, {});
    expect(reason).toBe(
      `HTTP 401: your clock is 360 s ${off > 0 ? 'ahead of' : 'behind'} ours; at most 300 s are allowed`,
    );
  });

  it('an unknown host', async () => {
    const stranger = 'http://127.0.0.1:1';
    const reason = await refusal({ auth: lax }, { auth: lax, hosts: [acceptor.origin, stranger] });
    expect(reason).toBe(`host "${dialer.origin}" is not in the list of ${acceptor.origin}`);
  });
});

describe('a raw dialer', () => {
  it('is let in with all in order', async () => {
    running(acceptor);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const raw = await RawDialer.open(acceptor.origin, token);
    expect(await raw.connect(dialer.origin, token)).toMatchObject({ accepted: true, rejectedReason: '' });
    raw.ws.terminate();
  });

  it.each<[string, (self: { local: string; remote: string }) => string, object, string]>([
    ['an unknown host', () => 'http://127.0.0.1:1', {}, 'host "http://127.0.0.1:1" is not in the list of'],
    ["the acceptor's own name", ({ remote }) => remote, {}, "is this host's own name"],
    ['an empty host', () => '', {}, 'host "" is not in the list of'],
    ['an endless host', () => 'http://' + 'x'.repeat(10_000), {}, 'xxx…" is not in the list'],
    ['a host with control characters', () => 'a\n\u001b[2Jb', {}, 'host "a\\n\\u001b[2Jb" is not'],
    ['a host with those that JSON has', () => '\u009b2J\u2028\u202e', {}, 'host "\\u009b2J\\u2028\\u202e" is not'],
    ['a clock ahead', ({ local }) => local, { time: wireTimeOf(Date.now() + HOUR_MS) }, 'ahead of ours'],
    ['a clock behind', ({ local }) => local, { time: wireTimeOf(Date.now() - HOUR_MS) }, 'behind ours'],
    [
      'another token than that of the header',
      ({ local }) => local,
      { token: 'x' },
      'the token is not valid: it is not a signed JWT',
    ],
    ['no token in Connect', ({ local }) => local, { token: '' }, 'the token is not valid'],
  ])('is refused in Connect: %s', async (_, host, change, reason) => {
    running(acceptor);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const raw = await RawDialer.open(acceptor.origin, token);
    const closed = raw.closed();
    const answer = await raw.connect(host({ local: dialer.origin, remote: acceptor.origin }), token, change);
    expect(answer.accepted).toBe(false);
    expect(answer.rejectedReason).toContain(reason);
    await closed;
    expect(acceptor.log.matching(/\p{Cc}/u)).toEqual([]);
  });

  it('is refused where it is the one that should be dialed', async () => {
    // the host that dials is asked by the one that does not
    running(dialer, { intervals: { redialMs: 60_000 } });
    const token = await tokenOf(acceptor.origin, dialer.origin);
    const raw = await RawDialer.open(dialer.origin, token);
    const { accepted, rejectedReason } = await raw.connect(acceptor.origin, token);
    expect(accepted).toBe(false);
    expect(rejectedReason).toBe(
      `${acceptor.origin} must not dial ${dialer.origin}: ${dialer.origin} dials ${acceptor.origin}`,
    );
  });

  it.each([
    [299_000, true],
    [-299_000, true],
    [301_000, false],
    [-301_000, false],
  ])('B41 with a clock %i ms off: %s', async (off, accepted) => {
    // a clock that stands: a second in which the machine did something else would be one over the border
    const now = Date.now();
    running(acceptor, { clock: { ...systemClock, date: () => now } });
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const raw = await RawDialer.open(acceptor.origin, token);
    expect((await raw.connect(dialer.origin, token, { time: wireTimeOf(now + off) })).accepted).toBe(accepted);
    raw.ws.terminate();
  });

  const nanos = (ms: number): string => `${Date.now() + ms}123456`;
  const rfc = (ms: number): string => new Date(Date.now() + ms).toISOString();
  it.each<[string, string]>([
    ['nanoseconds', nanos(0)],
    ['RFC 3339', rfc(0)],
    ['RFC 3339 with an offset', `${rfc(7_200_000).slice(0, 19)}.123456789+02:00`],
  ])('B41 may tell its time in the header as %s', async (_, time) => {
    running(acceptor);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const raw = await RawDialer.open(acceptor.origin, token, { headers: { 'x-minio-time': time } });
    raw.ws.terminate();
  });

  it.each<[string, string, string]>([
    ['nanoseconds that are off', nanos(HOUR_MS), 'ahead of ours'],
    ['RFC 3339 that is off', rfc(-HOUR_MS), 'behind ours'],
    ['seconds', String(Math.floor(Date.now() / 1_000)), 'behind ours'],
    ['words', 'now', 'neither unix nanoseconds nor a time of RFC 3339'],
    ['nothing', '', 'neither unix nanoseconds nor a time of RFC 3339'],
  ])('B41 is refused with %s in the header', async (_, time, reason) => {
    running(acceptor);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const answer = await RawDialer.refused(acceptor.origin, token, { headers: { 'x-minio-time': time } });
    expect(answer).toEqual({ status: 401, body: expect.stringContaining(reason) });
  });

  it('is refused with an Origin header, as browsers send it', async () => {
    running(acceptor);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const answer = await RawDialer.refused(acceptor.origin, token, { origin: 'http://evil' });
    expect(answer.status).toBe(403);
  });

  it('is refused without a token, or with one for another host, before the upgrade', async () => {
    running(acceptor);
    const foreign = await tokenOf(dialer.origin, dialer.origin);
    expect(await RawDialer.refused(acceptor.origin, '')).toMatchObject({ status: 401 });
    const answer = await RawDialer.refused(acceptor.origin, foreign);
    expect(answer).toEqual({ status: 401, body: `the token is not valid: it is not made for ${acceptor.origin}` });
    expect(answer.body).not.toContain(foreign);
  });

  it('gets 503 of a host that has not started, and of one that closes', async () => {
    const grid = acceptor.grid();
    expect(await RawDialer.refused(acceptor.origin, 'x')).toEqual({
      status: 503,
      body: 'this host has not started yet',
    });
    void grid.start();
    expect((await RawDialer.refused(acceptor.origin, 'x')).status).toBe(401);
  });

  it('whose handshake is under way when the host closes is closed with 1013, which is no refusal', async () => {
    const grid = acceptor.grid();
    let called = (): void => {};
    let end = (): void => {};
    const runs = new Promise<void>((resolve) => (called = resolve));
    grid.handle(60, {}, () => {
      called();
      return new Promise<void>((resolve) => (end = resolve));
    });
    void grid.start();
    const told: GridEvent[] = [];
    grid.events.subscribe((event) => told.push(event));
    const raw = await RawDialer.open(acceptor.origin, await tokenOf(dialer.origin, acceptor.origin));
    const call = grid.peer(acceptor.origin).request(60);
    await runs;
    const closing = grid.close();
    const dialing = running(dialer, { dialer: async () => raw.ws });
    const closed = raw.closed();
    expect(await closed).toEqual([1013, 'this host is shutting down']);
    await until(() => dialing.stats().peers[0]!.framesOut > 0, 'Connect was sent');
    await turn();
    end();
    await closing;
    await call;
    expect(told.filter(({ type }) => type === 'refused')).toEqual([]);
    expect([...acceptor.log.lines, ...dialer.log.matching(/refuses us/)]).toEqual([]);
  });

  it('gets 429 after too many refusals; who claims another host does not', async () => {
    running(acceptor, { limits: { refusedPerMinute: 3 } });
    for (let i = 0; i < 3; i++) expect((await RawDialer.refused(acceptor.origin, 'x')).status).toBe(401);
    expect((await RawDialer.refused(acceptor.origin, 'x')).status).toBe(429);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    (await RawDialer.open(acceptor.origin, token)).ws.terminate();
  });

  it('that claims a host gets 429 too; the host of that name is let in from the same address', async () => {
    running(acceptor, { limits: { refusedPerMinute: 3 } });
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const [header, claims] = token.split('.') as [string, string];
    const forged = `${header}.${claims}.${'A'.repeat(43)}`;
    for (let i = 0; i < 3; i++) expect((await RawDialer.refused(acceptor.origin, forged)).status).toBe(401);
    for (let i = 0; i < 3; i++) expect((await RawDialer.refused(acceptor.origin, forged)).status).toBe(429);
    expect((await RawDialer.refused(acceptor.origin, 'x')).status).toBe(429);
    const raw = await RawDialer.open(acceptor.origin, token);
    expect((await raw.connect(dialer.origin, token)).accepted).toBe(true);
    raw.ws.terminate();
    expect(acceptor.log.matching(/refused a connection/)).toHaveLength(1);
  });

  it('that is a host gets 429 after too many refusals of its own; other hosts of its address do not', async () => {
    running(acceptor, { limits: { refusedPerMinute: 3 } });
    const token = await tokenOf(dialer.origin, acceptor.origin);
    for (let i = 0; i < 3; i++) {
      const raw = await RawDialer.open(acceptor.origin, token);
      const closed = raw.closed();
      expect((await raw.connect('http://stranger:1', token)).accepted).toBe(false);
      await closed;
    }
    expect((await RawDialer.refused(acceptor.origin, token)).status).toBe(429);
    expect((await RawDialer.refused(acceptor.origin, 'x')).status).toBe(401);
    const another = await tokenOf(acceptor.origin, acceptor.origin);
    (await RawDialer.open(acceptor.origin, another)).ws.terminate();
  });

  it('whose token is no JWT is let in, however many strangers of its address were refused', async () => {
    const verify = (token: string): void => {
      if (token !== 'good') throw new Error('unknown');
    };
    running(acceptor, { limits: { refusedPerMinute: 3 }, auth: { sign: () => 'good', verify } });
    const wanted = [401, 401, 401, 429, 429];
    for (const status of wanted) expect(await RawDialer.refused(acceptor.origin, 'bad')).toMatchObject({ status });
    const raw = await RawDialer.open(acceptor.origin, 'good');
    expect((await raw.connect(dialer.origin, 'good')).accepted).toBe(true);
    raw.ws.terminate();
  });

  it('gets 503 while too many handshakes are pending, and a place when one of them ends', async () => {
    running(acceptor, { limits: { pendingHandshakes: 2 } });
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const silent = [await RawDialer.open(acceptor.origin, token), await RawDialer.open(acceptor.origin, token)];
    expect((await RawDialer.refused(acceptor.origin, token)).status).toBe(503);
    silent[0]!.ws.terminate();
    await until(() => acceptor.sockets === 1, 'the place is free');
    const next = await RawDialer.open(acceptor.origin, token);
    expect((await next.connect(dialer.origin, token)).accepted).toBe(true);
    next.ws.terminate();
    silent[1]!.ws.terminate();
  });

  it('that takes all places again and again makes 20 lines an hour', async () => {
    running(acceptor, { limits: { pendingHandshakes: 1 } });
    const token = await tokenOf(dialer.origin, acceptor.origin);
    for (let n = 0; n < 25; n++) {
      const silent = await RawDialer.open(acceptor.origin, token);
      expect((await RawDialer.refused(acceptor.origin, token)).status).toBe(503);
      silent.ws.terminate();
      await until(() => acceptor.sockets === 0, 'the place is free');
    }
    const lines = acceptor.log.matching(/handshakes are pending/);
    expect(lines).toHaveLength(20);
    expect(lines[19]).toContain('no more lines');
  });

  it('whose tokens keep all places for long again and again makes 20 lines an hour', async () => {
    const looks: ((error: Error) => void)[] = [];
    const verify = (): Promise<void> => new Promise((_, reject) => looks.push(reject));
    const limits = { pendingHandshakes: 1, refusedPerMinute: 1_000 };
    running(acceptor, { limits, auth: { sign: () => 'good', verify } });
    for (let n = 0; n < 25; n++) {
      const first = RawDialer.refused(acceptor.origin, 'bad');
      await until(() => looks.length === 1, 'the token is looked at');
      expect((await RawDialer.refused(acceptor.origin, 'bad')).status).toBe(503);
      looks.pop()!(new Error('unknown'));
      expect((await first).status).toBe(401);
    }
    expect(acceptor.log.matching(/tokens are looked at/)).toHaveLength(20);
  });

  it('H3 that stays silent is closed', async () => {
    running(acceptor, { limits: { handshakeMs: 50 } });
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const raw = await RawDialer.open(acceptor.origin, token);
    const [code, reason] = await raw.closed();
    expect([code, reason]).toEqual([1008, expect.stringContaining('handshakeMs')]);
  });

  it.each<[string, Uint8Array | string, number]>([
    ['text', 'hello', 1002],
    ['random bytes', Buffer.from('c0ffee', 'hex'), 1002],
    ['nothing', new Uint8Array(0), 1002],
    ['another message', frameOf(Op.Ping, undefined), 1002],
    ['a Connect without body', frameOf(Op.Connect, undefined), 1002],
    [
      'a Connect cut off',
      frameOf(
        Op.Connect,
        encodeConnectRequest({ id: new Uint8Array(16), host: 'x', time: wireTimeOf(0), token: '' }).subarray(0, -1),
      ),
      1002,
    ],
    ['a frame too large', new Uint8Array(70_000), 1009],
  ])('B39 whose first frame is %s is closed', async (_, frame, code) => {
    const grid = running(acceptor, { limits: { messageBytes: 1_000, frameBytes: 65_536 } });
    const refused = refusalsOf(grid);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const raw = await RawDialer.open(acceptor.origin, token);
    raw.ws.send(frame);
    expect((await raw.closed())[0]).toBe(code);
    expect(await refused).toMatchObject({ direction: 'incoming', peer: undefined });
    expect(grid.peers[0]!.state).toBe('connecting');
    expect(acceptor.log.matching(/refused a connection/)).toHaveLength(1);
  });

  it('gets no compression, however it asks', async () => {
    running(acceptor);
    const token = await tokenOf(dialer.origin, acceptor.origin);
    const raw = await RawDialer.open(acceptor.origin, token, { perMessageDeflate: true });
    expect(raw.ws.extensions).toBe('');
    raw.ws.terminate();
  });
});

describe('a host that does not answer as it should', () => {
  it('H3 is given up after the dial time, and no socket is left', async () => {
    const sockets = new Set<object>();
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket
        .once('close', () => sockets.delete(socket))
        .resume()
        // who gives up may reset it; 'close' follows
        .on('error', () => undefined);
    });
    let name: string;
    do {
      silent.close();
      silent.listen(0, '127.0.0.1');
      await once(silent, 'listening');
      name = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    } while (!localDials(dialer.origin, name));
    const grid = running(dialer, { hosts: [dialer.origin, name], intervals: { dialTimeoutMs: 30, redialMs: 10 } });
    await until(() => dialer.log.matching(/cannot reach/).length === 1, 'the second failure');
    expect(dialer.log.matching(/cannot reach/)[0]).toContain('no answer within 30 ms');
    await grid.close();
    await until(() => sockets.size === 0, 'all sockets closed');
    silent.close();
    await once(silent, 'close');
  });
});

describe('a host that answers with something else than an upgrade', () => {
  it('is not read to its end, and its text is made safe', async () => {
    let sent = 0;
    acceptor.server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 418 Teapot\r\nContent-Type: text/plain\r\n\r\n\u001b[2J\n\n\u0000first line\r\nsecond ');
      const pour = (): void => {
        while (!socket.destroyed && socket.write('x'.repeat(65_536))) sent += 65_536;
      };
      // who has read enough hangs up
      socket.on('drain', pour).on('error', () => undefined);
      pour();
    });
    const grid = running(dialer);
    const { reason } = await refusalsOf(grid);
    expect(reason).toMatch(/^HTTP 418: \[2J first line second x+$/);
    expect(reason.length).toBeLessThan(600);
    await grid.close();
    expect(sent).toBeLessThan(16_000_000);
  });
});

describe('B14 time limits of the HTTP server', () => {
  it('are not for the sockets of the grid', async () => {
    acceptor.server.timeout = 40;
    acceptor.server.keepAliveTimeout = 20;
    acceptor.server.requestTimeout = 60;
    acceptor.server.headersTimeout = 50;
    const grids = [running(dialer), running(acceptor)];
    await allConnected(...grids);
    await new Promise<void>((resolve) => systemClock.setTimer(200, resolve));
    expect(grids[0]!.stats().peers[0]).toMatchObject({ state: 'connected', reconnects: 0 });
  });
});

describe('B09 twenty handshakes of one host at once', () => {
  it('leave exactly one connection', async () => {
    const grid = running(acceptor, { auth: lax });
    for (let round = 0; round < 10; round++) {
      const raws = await Promise.all(Array.from({ length: 20 }, () => RawDialer.open(acceptor.origin, 'lax')));
      const codes: number[] = [];
      for (const raw of raws) raw.ws.once('close', (code) => codes.push(code));
      const answers = await Promise.all(raws.map((raw) => raw.connect(dialer.origin, 'lax')));
      expect(answers.every(({ accepted }) => accepted)).toBe(true);
      await until(() => codes.length === 19, 'nineteen are closed');
      expect(new Set(codes)).toEqual(new Set([4001]));
      await grid.peers[0]!.waitForConnect();
      const left = raws.filter(({ ws }) => ws.readyState === ws.OPEN);
      expect(left).toHaveLength(1);
      left[0]!.ws.terminate();
      await until(() => grid.peers[0]!.state === 'disconnected' && acceptor.sockets === 0, 'all gone');
    }
    expect(acceptor.log.matching(/two processes call themselves/)).toHaveLength(1);
    expect(acceptor.log.matching(/two processes call themselves/)[0]).toMatch(
      /process [0-9a-f-]{36} at 127\.0\.0\.1 is replaced by process/,
    );
  });
});

describe('rotating the secret', () => {
  it('lets hosts with the old and the new one talk', async () => {
    const grids = [
      running(dialer, { auth: { secret: [OTHER_SECRET, SECRET] } }),
      running(acceptor, { auth: { secret: [SECRET, OTHER_SECRET] } }),
    ];
    await allConnected(...grids);
  });
});
