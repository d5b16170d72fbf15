import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { GridManager, type Dialer, type GridOptions } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { socketPair } from '../../lib/testing/socket-pair.js';
import { decodeFrame, EXTENSIONS, Flag, Op, type DecodeRules } from '../../lib/wire/index.js';
import { freeHosts, freePort } from '../ports.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { allConnected, LogBook, SECRET } from './neighbourhood.js';
import { get } from './raw-dialer.js';
import { rejectionOf, thrownBy } from './refusal.js';

const RULES: DecodeRules = { extensions: new Set(EXTENSIONS), messageBytes: Infinity, frameMessages: Infinity };

const grids: GridManager[] = [];
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(grids.splice(0).map((grid) => grid.close()));
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function make(local: string, hosts: readonly string[], options: Partial<GridOptions> = {}): GridManager {
  const grid = new GridManager({
    local,
    hosts,
    auth: { secret: SECRET },
    logger: new LogBook(),
    intervals: { redialMs: 20 },
    ...options,
  });
  grid.handle(60, {}, (text: unknown) => text);
  grids.push(grid);
  return grid;
}

/** Two names that need no network, the dialer first. */
function twoNames(scheme: string): [string, string] {
  const [a, b] = [`${scheme}://first`, `${scheme}://second`] as const;
  return localDials(a, b) ? [a, b] : [b, a];
}

const [FIRST, SECOND] = twoNames('http');

async function echo(from: GridManager, to: GridManager): Promise<void> {
  expect(await from.peer(to.local).request(60, 'over')).toBe('over');
  expect(await to.peer(from.local).request(60, 'and back')).toBe('and back');
}

/** A dialer without a network, and the lines that it made: the dialer's end of each, then the acceptor's. */
function linesTo(acceptor: GridManager): { dial: Dialer; lines: ReturnType<typeof socketPair>[] } {
  const lines: ReturnType<typeof socketPair>[] = [];
  const dial: Dialer = async () => {
    const line = socketPair();
    lines.push(line);
    acceptor.incoming(line[1]);
    return line[0];
  };
  return { dial, lines };
}

describe('a transport of the application', () => {
  it('may be any message socket: dialer on one side, incoming() on the other', async () => {
    const asked: string[] = [];
    const acceptor = make(SECOND, [FIRST, SECOND]);
    const dialer = make(FIRST, [FIRST, SECOND], {
      dialer: async (peer) => {
        asked.push(peer);
        const [ours, theirs] = socketPair();
        acceptor.incoming(theirs, { remoteAddress: 'a pigeon' });
        return ours;
      },
    });
    void acceptor.start();
    void dialer.start();
    await allConnected(dialer, acceptor);
    await echo(dialer, acceptor);
    expect(asked).toEqual([SECOND]);
  });

  it('may be a WebSocket of ws', async () => {
    const acceptor = make(SECOND, [FIRST, SECOND]);
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    server.on('connection', (socket) => acceptor.incoming(socket));
    const dialer = make(FIRST, [FIRST, SECOND], {
      dialer: async () => {
        const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
        await once(socket, 'open');
        return socket;
      },
    });
    void acceptor.start();
    void dialer.start();
    await allConnected(dialer, acceptor);
    await echo(dialer, acceptor);
  });

  it('comes back after a cut', async () => {
    const acceptor = make(SECOND, [FIRST, SECOND]);
    const { dial, lines } = linesTo(acceptor);
    const dialer = make(FIRST, [FIRST, SECOND], { dialer: dial });
    void acceptor.start();
    void dialer.start();
    await allConnected(dialer, acceptor);
    lines[0]![0].cut();
    await until(
      () => dialer.stats().peers[0]!.reconnects === 1 && acceptor.stats().peers[0]!.reconnects === 1,
      'it is back',
    );
    await echo(dialer, acceptor);
  });

  it.each<[GridOptions['crc'], string, boolean]>([
    ['auto', 'http', true],
    ['auto', 'https', false],
    [true, 'https', true],
    [false, 'http', false],
  ])('with crc %s carries messages between %s hosts with a CRC: %s', async (crc, scheme, has) => {
    const [from, to] = twoNames(scheme);
    const acceptor = make(to, [from, to], { crc });
    const { dial, lines } = linesTo(acceptor);
    const dialer = make(from, [from, to], { dialer: dial, crc });
    void acceptor.start();
    void dialer.start();
    await allConnected(dialer, acceptor);
    const [ours] = lines[0]!;
    const frames: Buffer[] = [];
    const { send } = ours;
    ours.send = (frame, done) => {
      frames.push(Buffer.from(frame));
      send.call(ours, frame, done);
    };
    await echo(dialer, acceptor);
    const messages = frames.flatMap((frame) => decodeFrame(frame, RULES));
    expect(messages.map(({ op }) => op)).toEqual(expect.arrayContaining([Op.Request, Op.Response]));
    expect(messages.map(({ flags }) => (flags & Flag.Crc) !== 0)).toEqual(messages.map(() => has));
  });

  it.each<[string, Dialer, number, string]>([
    ['rejects', () => Promise.reject(new Error('no pigeons')), 2_000, 'no pigeons'],
    [
      'throws',
      () => {
        throw new Error('no pigeons at all');
      },
      2_000,
      'no pigeons at all',
    ],
    ['never answers', () => new Promise(() => {}), 20, 'no answer within 20 ms'],
  ])('that %s is a dial that failed', async (_, dialer, dialTimeoutMs, text) => {
    const log = new LogBook();
    const grid = make(FIRST, [FIRST, SECOND], { dialer, logger: log, intervals: { redialMs: 5, dialTimeoutMs } });
    void grid.start();
    await until(() => log.matching(/cannot reach/).length === 1, 'the second failure');
    expect(log.lines[0]).toContain(text);
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'undefined'],
    ['the bytes of one', Buffer.from('half of a token'), 'an object'],
    ['a number', 5, 'a number'],
  ])('is not even opened where sign() gives no token: %s', async (_, token, kind) => {
    const log = new LogBook();
    const opened: string[] = [];
    const auth = { sign: () => token as string, verify() {} };
    const dialer: Dialer = (peer) => {
      opened.push(peer);
      return Promise.resolve(socketPair()[0]);
    };
    const grid = make(FIRST, [FIRST, SECOND], { auth, dialer, logger: log, intervals: { redialMs: 5 } });
    void grid.start();
    await until(() => log.lines.length === 1, 'the second failure');
    expect(log.lines[0]).toContain(`: auth.sign() gave ${kind}; it must give a string (2 attempts`);
    expect(opened).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'undefined'],
    ['a socket of Node', new Socket(), 'an object'],
  ])('that gives no message socket is told so, and so is incoming(): %s', async (_, socket, kind) => {
    const log = new LogBook();
    const dialer: Dialer = () => Promise.resolve(socket as WebSocket);
    const grid = make(FIRST, [FIRST, SECOND], { dialer, logger: log, intervals: { redialMs: 5 } });
    void grid.start();
    await until(() => log.lines.length === 1, 'the second failure');
    const text = `the socket is ${kind} without send(); it must be a MessageSocket or a WebSocket of ws`;
    expect(log.lines[0]).toContain(`: ${text} (2 attempts`);
    expect(thrownBy(() => grid.incoming(socket as WebSocket))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: text,
    });
    await grid.close();
  });

  it('that answers too late is dropped', async () => {
    const [late, other] = socketPair();
    let answer: (socket: typeof late) => void = () => {};
    let calls = 0;
    const grid = make(FIRST, [FIRST, SECOND], {
      intervals: { redialMs: 5, dialTimeoutMs: 10 },
      dialer: () => new Promise((resolve) => (calls++ === 0 ? (answer = resolve) : undefined)),
    });
    void grid.start();
    await until(() => calls === 2, 'the next attempt');
    other.listen({ onFrame() {}, onViolation() {}, onClose() {} });
    late.listen({ onFrame() {}, onViolation() {}, onClose() {} });
    const { terminate } = late;
    late.terminate = () => {
      terminate.call(late);
      throw new Error('even then');
    };
    answer(late);
    await until(() => late.closed, 'the late socket is closed');
  });

  it('whose methods throw ends all calls, and is dialed again', async () => {
    const acceptor = make(SECOND, [FIRST, SECOND]);
    acceptor.handle(61, {}, () => new Promise(() => {}));
    const { dial, lines } = linesTo(acceptor);
    const dialer = make(FIRST, [FIRST, SECOND], { dialer: dial, intervals: { redialMs: 5, dialTimeoutMs: 200 } });
    void acceptor.start();
    void dialer.start();
    await allConnected(dialer, acceptor);
    const hung = rejectionOf(dialer.peer(SECOND).request(61));
    await until(() => acceptor.stats().peers[0]!.running === 1, 'it runs');
    const throwing = (): never => {
      throw new Error('no wings');
    };
    Object.assign(lines[0]![0], { send: throwing, close: throwing, terminate: throwing });
    const failed = await rejectionOf(dialer.peer(SECOND).request(60, 'over'));
    expect([(await hung).code, failed.code]).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    await until(() => lines.length > 1, 'the next dial');
    await allConnected(dialer, acceptor);
    await echo(dialer, acceptor);
  });

  it('incoming() refuses while the grid is not started, and past pendingHandshakes', async () => {
    const acceptor = make(SECOND, [FIRST, SECOND], { limits: { pendingHandshakes: 1 } });
    const closes: [number, string][] = [];
    const offer = (): void => {
      const [ours, theirs] = socketPair();
      ours.listen({ onFrame() {}, onViolation() {}, onClose: (code, reason) => closes.push([code, reason]) });
      acceptor.incoming(theirs);
    };
    offer();
    await until(() => closes.length === 1, 'refused');
    void acceptor.start();
    offer();
    offer();
    await until(() => closes.length === 2, 'the second one is refused');
    expect(closes).toEqual([
      [1013, 'this host has not started yet'],
      [1013, 'too many handshakes are pending'],
    ]);
  });

  it('that incoming() refuses and that does not heed it keeps nothing waiting, and is dropped soon', async () => {
    const grid = make(SECOND, [FIRST, SECOND]);
    const [stranger, offered] = socketPair();
    grid.incoming(offered);
    let taken = 0;
    for (let i = 0; i < 3; i++) stranger.send(Buffer.alloc(1_024), (error) => (taken += error ? 0 : 1));
    await until(() => taken === 3, 'nobody keeps what it sends');
    expect(offered.closed).toBe(false);
    await until(() => offered.closed, 'its goodbye is not waited for');
  });

  it('that incoming() refuses does not outlive the grid', async () => {
    const grid = make(SECOND, [FIRST, SECOND]);
    const [, offered] = socketPair();
    grid.incoming(offered);
    await grid.close();
    await turn();
    expect(offered.closed).toBe(true);
  });
});

describe('a listener of its own', () => {
  it('serves the grid and nothing else, and is gone after close()', async () => {
    const hosts = await freeHosts(2);
    const [a, b] = hosts.map((host) => make(host, hosts)) as [GridManager, GridManager];
    for (const grid of [a, b]) {
      await grid.listen();
      void grid.start();
    }
    await allConnected(a, b);
    await echo(a, b);
    expect((await get(a.local, '/', {})).status).toBe(404);
    await a.close();
    await rejectionOf(a.peer(b.local).request(60));
    await expect(get(a.local, '/', {})).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    // the port is free again
    const again = make(a.local, hosts);
    await again.listen();
    void again.start();
    await allConnected(again, b);
  });

  it('says that the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const local = `http://127.0.0.1:${port}`;
    const grid = make(local, [local]);
    const error = await rejectionOf(grid.listen());
    expect(error).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: `cannot listen on 127.0.0.1 port ${port}: the port is taken`,
    });
    taken.close();
    await once(taken, 'close');
    await grid.listen();
  });

  it.each(['finds it', 'fails'])('holds up no close() by a look-up of its name, which %s later', async (outcome) => {
    const { lookup } = dns;
    cleanups.push(async () => Object.assign(dns, { lookup }));
    const asked = new Promise<(error: Error | null, address?: string, family?: number) => void>((resolve) => {
      Object.assign(dns, { lookup: (_name: string, ...rest: unknown[]) => resolve(rest.at(-1) as never) });
    });
    const port = await freePort();
    const grid = make('http://node-1.invalid:9000', ['http://node-1.invalid:9000'], { listen: { port } });
    const listening = rejectionOf(grid.listen());
    const answer = await asked;
    await grid.close();
    expect(await listening).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'closed' });
    if (outcome === 'fails') answer(new Error('nobody knows'));
    else answer(null, '127.0.0.1', 4);
    await turn();
    await expect(get(`http://127.0.0.1:${port}`, '/', {})).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('may listen elsewhere than on the address of local', async () => {
    const port = await freePort();
    const grid = make('http://node-1.invalid:9000', ['http://node-1.invalid:9000'], {
      listen: { host: '127.0.0.1', port },
    });
    await grid.listen();
    expect((await get(`http://127.0.0.1:${port}`, '/', {})).status).toBe(404);
    const lost = make('http://node-1.invalid:9000', ['http://node-1.invalid:9000']);
    expect((await rejectionOf(lost.listen())).message).toContain('name the one to listen on with the option listen');
  });
});
