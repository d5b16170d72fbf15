// Sockets on their way in: each stage has its end, strangers take no place that another host needs.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { GridManager, GridOptions } from '../../lib/manager/index.js';
import { secretAuth } from '../../lib/manager/token.js';
import { socketPair } from '../../lib/testing/index.js';
import { systemClock } from '../../lib/time/index.js';
import { until, within } from '../conformance/hang-budget.js';
import { connectRequest, encode, op } from '../conformance/raw-codec.js';
import { lasts } from '../pace.js';
import { portOf } from '../ports.js';
import { volume } from '../scale.js';
import { Bastion } from './bastion.js';
import { dialTcp, frame, RawWebSocket, upgradeRequest } from './raw-websocket.js';
import { closeOf, letIn } from './siege.js';

const ROUTE = '/grid/v1';
const SECRET = 'a secret of the test, long enough for it';

let bastion: Bastion;
let shared: Server | undefined;
afterEach(async () => {
  await bastion.fall();
  shared?.closeAllConnections();
  shared?.close();
  shared = undefined;
});

/**
 * A server as an application has one, with the grid and plain requests on it. Its time limits are the application's.
 */
async function sharedServer(grid: GridManager): Promise<void> {
  const { handshakeMs } = grid.options.limits;
  const patience = { headersTimeout: handshakeMs, requestTimeout: handshakeMs, connectionsCheckingInterval: 50 };
  shared = createServer(patience, (_, answer) => answer.end('plain'));
  shared.listen(portOf(grid.local), '127.0.0.1');
  await once(shared, 'listening');
  grid.attach(shared);
}

/** A reset is an end like any other: `once` would reject. */
async function gone(socket: Socket): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  if (!socket.destroyed) await within(closed, 'the socket is still open', 10_000);
}

/** Writes byte by byte, each a segment of its own, until all is written or the other end has had enough. */
async function drip(socket: Socket, bytes: Uint8Array, pauseMs: number): Promise<void> {
  for (const byte of bytes) {
    await lasts(pauseMs);
    if (socket.destroyed) return;
    socket.write(Buffer.from([byte]));
  }
}

const connect = (): Buffer =>
  frame(
    encode({
      op: op.Connect,
      flags: 0,
      payload: connectRequest({ id: Buffer.alloc(16, 7), host: bastion.name, token: '' }),
    }),
  );

describe.each([
  ['its own listener', undefined],
  ['a server of the application', sharedServer],
])('on %s', (_, serve) => {
  const raise = async (handshakeMs: number): Promise<void> => {
    bastion = await Bastion.raise({ limits: { handshakeMs }, intervals: { pingMs: 200 } }, serve);
  };

  it('each stage at which a socket may stop is ended in time, and leaves nothing', async () => {
    await raise(3_000);
    const whole = upgradeRequest(bastion.origin, { route: ROUTE });
    const openings = ['', 'GET /grid', whole.slice(0, -2)];
    const silent = await Promise.all(openings.map(() => dialTcp(bastion.origin)));
    for (const [index, opening] of openings.entries()) silent[index]!.resume().write(opening);
    const dripping = await dialTcp(bastion.origin);
    const dripped = drip(dripping.resume(), Buffer.from(whole), 50);
    const upgraded = [await bastion.open(), await bastion.open()];
    await upgraded[1]!.write(connect().subarray(0, 20));
    for (const ws of upgraded) expect(await closeOf(ws)).toEqual([1008, expect.stringContaining('handshakeMs')]);
    for (const socket of [...silent, dripping]) await gone(socket);
    await dripped;
    expect(bastion.lines).toEqual([]);
    // who is let in and says nothing more is cut by the pings
    const mute = await letIn(await bastion.open(), bastion.name);
    mute.ws.onFrame = () => {};
    await closeOf(mute.ws);
    expect(bastion.lines).toEqual([expect.stringContaining('no pong')]);
  });

  it('a request and a Connect that come byte by byte are served, if they come in time', async () => {
    await raise(30_000);
    const socket = await dialTcp(bastion.origin);
    const answered = once(socket, 'data');
    await drip(socket, Buffer.from(upgradeRequest(bastion.origin, { route: ROUTE })), 1);
    expect(String((await within(answered, 'no answer'))[0])).toContain(' 101 ');
    await drip(socket, connect(), 1);
    await until(async () => bastion.peer.state === 'connected', 'not let in');
    socket.destroy();
  });

  it('while strangers drip their requests, a host gets in and its calls are answered', async () => {
    await raise(3_000);
    const whole = Buffer.from(upgradeRequest(bastion.origin, { route: ROUTE }));
    const strangers = volume(200, 2_000);
    const sockets = await Promise.all(Array.from({ length: strangers }, () => dialTcp(bastion.origin)));
    // 4,000 bytes a second in all: they are slow, not a flood
    const drips = sockets.map((socket) => drip(socket.resume(), whole.subarray(0, -2), strangers / 4));
    const started = Date.now();
    const host = await letIn(await bastion.open(), bastion.name);
    await bastion.settle(host);
    expect(Date.now() - started).toBeLessThan(30_000);
    await Promise.all(sockets.map(gone));
    await Promise.all(drips);
  });
});

describe('sockets that ask for nothing', () => {
  const raise = async (): Promise<Socket[]> => {
    // eight times as many may be silent
    bastion = await Bastion.raise({ limits: { pendingHandshakes: 2, handshakeMs: 60_000 } });
    const silent: Socket[] = [];
    for (let n = 0; n < 40; n++) silent.push((await dialTcp(bastion.origin)).resume());
    await until(async () => silent.filter(({ destroyed }) => destroyed).length === 24, 'not 16 are left');
    return silent;
  };

  it('are so many at most: the oldest of the address that has most are closed, with one line', async () => {
    const silent = await raise();
    expect(silent.slice(0, 24).every(({ destroyed }) => destroyed)).toBe(true);
    const other = (await dialTcp(bastion.origin, '127.0.0.2')).resume();
    await gone(silent[24]!);
    expect(other.destroyed).toBe(false);
    expect(bastion.lines[0]).toBe('more than 16 connections have not asked for anything: the oldest are closed');
    expect(bastion.lines.length).toBeLessThanOrEqual(20);
    for (const socket of [...silent, other]) socket.destroy();
  });

  it('keep no host out, of their own address neither, and who is in is not counted', async () => {
    const silent = await raise();
    const host = await letIn(await bastion.open(), bastion.name);
    for (let n = 0; n < 40; n++) silent.push((await dialTcp(bastion.origin)).resume());
    await bastion.settle(host);
    for (const socket of silent) socket.destroy();
  });

  it('a request for anything else is the last one of its connection', async () => {
    bastion = await Bastion.raise();
    const socket = await dialTcp(bastion.origin);
    let answer = '';
    socket.on('data', (bytes: Buffer) => (answer += String(bytes)));
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100));
    await gone(socket);
    expect(answer.match(/HTTP\/1.1 404/g)).toHaveLength(1);
  });
});

it('a first frame that is too large is closed with 1009 however the socket got here', async () => {
  bastion = await Bastion.raise();
  const [stranger, taken] = socketPair();
  const closed = new Promise((resolve) => {
    stranger.listen({ onFrame() {}, onViolation() {}, onClose: (code, reason) => resolve([code, reason]) });
  });
  bastion.grid.incoming(taken);
  stranger.send(new Uint8Array(64 * 1_024 + 1), () => {});
  expect(await within(closed, 'not closed')).toEqual([1009, 'a frame of 65537 bytes in the handshake']);
});

describe('places among the pending handshakes', () => {
  const LIMITS = { pendingHandshakes: 8, handshakeMs: 60_000 };
  const raise = async (auth: GridOptions['auth']): Promise<void> => {
    bastion = await Bastion.raise({ auth, limits: LIMITS });
  };
  const tokenOf = (name: string): string | Promise<string> =>
    secretAuth([SECRET], [bastion.origin, ...bastion.names], systemClock).sign({ from: name, to: bastion.origin });
  const bearer = async (name: string): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await tokenOf(name)}`,
  });

  it('who has no token takes none', async () => {
    await raise({ secret: SECRET });
    const statuses = await Promise.all(
      Array.from({ length: 50 }, () =>
        bastion.open({ authorization: 'Bearer nonsense' }).catch((error: Error) => error.message),
      ),
    );
    expect(statuses.every((status) => /40[19]|429|503/.test(String(status)))).toBe(true);
    const headers = await bearer(bastion.name);
    const open = await Promise.all(Array.from({ length: 8 }, () => bastion.open(headers)));
    expect(open.every(({ ended }) => !ended)).toBe(true);
  });

  it('a host that holds all of them loses one to another host, whose calls are served', async () => {
    await raise({ secret: SECRET });
    const [bad, good] = bastion.names as [string, string];
    const headers = await bearer(bad);
    const held: RawWebSocket[] = [];
    for (let n = 0; n < 8; n++) held.push(await bastion.open(headers));
    await expect(bastion.open(headers)).rejects.toThrow('503');
    const ws = await bastion.open(await bearer(good));
    await bastion.settle(await letIn(ws, good, { token: await tokenOf(good) }));
    expect(await closeOf(held[0]!)).toEqual([1013, expect.stringContaining('pendingHandshakes')]);
    expect(held.slice(1).every(({ ended }) => !ended)).toBe(true);
    expect(bastion.lines).toEqual([expect.stringContaining('pendingHandshakes (8)')]);
  });

  it('strangers whose tokens take long to look at do not keep a host of another address out', async () => {
    await raise({
      sign: () => 'good',
      verify: (token) => (token === 'good' ? undefined : new Promise(() => {})),
    });
    const strangers = Array.from({ length: 20 }, () =>
      bastion.open({ authorization: 'Bearer slow' }).catch((error: Error) => error.message),
    );
    await until(async () => bastion.lines.length > 0, 'the places are not all taken');
    const ws = await bastion.open({ authorization: 'Bearer good' }, '127.0.0.2');
    await bastion.settle(await letIn(ws, bastion.name, { token: 'good' }));
    expect(bastion.lines).toEqual([expect.stringContaining('tokens are looked at')]);
    await bastion.fall();
    const answers = await Promise.all(strangers);
    expect(answers.filter((answer) => String(answer).includes('503'))).toHaveLength(13);
  });

  it("with auth: 'none' addresses share them", async () => {
    await raise('none');
    for (let n = 0; n < 8; n++) await bastion.open();
    await expect(bastion.open()).rejects.toThrow('503');
    await bastion.settle(await letIn(await bastion.open({}, '127.0.0.2'), bastion.name));
  });
});
