import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { GridManager } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { freeHosts } from '../ports.js';
import { volume } from '../scale.js';
import { allConnected, LogBook, SECRET } from './neighbourhood.js';

/** A server whose HTTP side gives up early. */

const LIMIT_MS = volume(200, 2_000);

const servers: Server[] = [];
const grids: GridManager[] = [];
afterEach(async () => {
  await Promise.all(grids.splice(0).map((grid) => grid.close()));
  for (const server of servers.splice(0)) {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
});

it('B14 time limits of the HTTP server end slow requests, and no connection idle for five times as long', async () => {
  const hosts = (await freeHosts(2)) as [string, string];
  for (const local of hosts) {
    const server = createServer({ connectionsCheckingInterval: LIMIT_MS / 4 }, (_request, response) => response.end());
    server.timeout = server.headersTimeout = server.requestTimeout = server.keepAliveTimeout = LIMIT_MS;
    server.listen(Number(new URL(local).port), '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    const logger = new LogBook();
    const grid = new GridManager({ local, hosts, auth: { secret: SECRET }, logger, intervals: { redialMs: 20 } });
    grid.handle(60, { kind: 'request' }, (payload) => payload);
    grid.attach(server);
    grids.push(grid);
  }
  for (const grid of grids) void grid.start();
  await allConnected(...grids);
  // the limits are in force: a request that never ends is cut, five times one after the other
  for (let round = 0; round < 5; round++) {
    // whether it is cut by a FIN or a reset, 'close' follows
    const slow = connect(Number(new URL(hosts[0]).port), '127.0.0.1').on('error', () => undefined);
    slow.resume().write('GET / HTTP/1.1\r\nHost: x\r\n');
    await once(slow, 'close');
  }
  const [from, to] = localDials(...hosts) ? grids : grids.toReversed();
  for (const [a, b] of [
    [from!, to!],
    [to!, from!],
  ] as const) {
    expect(await a.peer(b.local).request(60, 'still')).toBe('still');
    expect(a.stats().peers[0]).toMatchObject({ state: 'connected', reconnects: 0 });
  }
}, 120_000);
