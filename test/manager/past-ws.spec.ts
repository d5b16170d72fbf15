import { afterEach, expect, it, jest } from '@jest/globals';
import { WebSocket } from 'ws';
import { GridManager, type GridOptions } from '../../lib/manager/index.js';
import { freeHosts } from '../ports.js';
import { Authority } from './certificates.js';
import { allConnected, LogBook, SECRET } from './neighbourhood.js';

/** Frames go past `ws` at both ends: what it read itself it would tell by 'message'. */

const grids: GridManager[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(grids.splice(0).map((grid) => grid.close()));
});

/** So many bytes come in several pieces, however the network cuts them. */
const LARGE = 'x'.repeat(300_000);

/** Two grids that are connected, over that scheme. */
async function couple(scheme: string): Promise<[GridManager, GridManager]> {
  const options: Partial<GridOptions> = {};
  if (scheme === 'https:') {
    const authority = await Authority.found('the authority of the grid');
    Object.assign(options, { tls: { ca: authority.ca }, listen: { tls: await authority.certify(['127.0.0.1']) } });
  }
  const hosts = (await freeHosts(2)).map((host) => host.replace('http:', scheme));
  for (const local of hosts) {
    const grid = new GridManager({ local, hosts, auth: { secret: SECRET }, logger: new LogBook(), ...options });
    grid.handle(60, {}, (text: unknown) => text);
    grids.push(grid);
    await grid.listen();
    void grid.start();
  }
  await allConnected(...grids);
  return grids as [GridManager, GridManager];
}

it.each(['http:', 'https:'])('over %s `ws` reads no frame of a call, at neither end', async (scheme) => {
  const emit = jest.spyOn(WebSocket.prototype, 'emit');
  const [a, b] = await couple(scheme);
  for (const payload of ['small', LARGE]) {
    expect(await a.peer(b.local).request(60, payload)).toBe(payload);
    expect(await b.peer(a.local).request(60, payload)).toBe(payload);
  }
  const told = emit.mock.calls.map(([event]) => event);
  expect(told).toContain('open');
  expect(told).not.toContain('message');
});

it.each([
  { scheme: 'http:', frames: 4, why: '1, 16, 32 and the rest: the peer begins while the others are made' },
  { scheme: 'https:', frames: 2, why: '1 and the rest: Node writes TLS once in a turn' },
])('over $scheme the 54 messages of a turn are $frames frames, $why', async ({ scheme, frames }) => {
  const [a, b] = await couple(scheme);
  const sent = (): number => a.stats().peers[0]!.framesOut;
  const before = sent();
  await Promise.all(Array.from({ length: 54 }, () => a.peer(b.local).request(60, 'small')));
  expect(sent() - before).toBe(frames);
});
