import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import { WebSocketServer, type WebSocket } from 'ws';
import { localDials } from '../../lib/manager/who-dials.js';
import { freeHosts } from '../ports.js';
import { volume } from '../scale.js';
import { until } from '../until.js';
import { Neighbourhood, type House } from './neighbourhood.js';
import { RawDialer } from './raw-dialer.js';

/** Peers that open a WebSocket and say nothing. */

let hood: Neighbourhood;
afterEach(() => hood.close());

const descriptors = (): number => readdirSync('/proc/self/fd').length;
const hasDescriptors = process.platform === 'linux';

describe('H3 a host that upgrades and stays silent', () => {
  const attempts = volume(60, 1_000);

  it(`is given up each time, and no socket is left of ${attempts} attempts`, async () => {
    hood = await Neighbourhood.build(1);
    const [house] = hood.houses as [House];
    const name = (await freeHosts(16)).find((host) => localDials(house.origin, host))!;
    const sockets = new WebSocketServer({ noServer: true });
    const open = new Set<WebSocket>();
    let seen = 0;
    let most = 0;
    const server = createServer().on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (ws) => {
        seen++;
        most = Math.max(most, open.add(ws).size);
        // 'close' follows an error
        ws.on('close', () => open.delete(ws)).on('error', () => undefined);
      });
    });
    server.listen(Number(new URL(name).port), '127.0.0.1');
    await once(server, 'listening');
    const before = hasDescriptors ? descriptors() : 0;
    const grid = house.grid({
      hosts: [house.origin, name],
      limits: { handshakeMs: 5 },
      intervals: { redialMs: 1, dialTimeoutMs: 15_000 },
    });
    void grid.start();
    await until(() => seen >= attempts, 'it was tried so often', volume(60_000, 300_000));
    expect(grid.peers[0]!.state).toBe('connecting');
    await grid.close();
    await until(() => open.size === 0, 'all are closed');
    // those that were given up and wait for the answer to their goodbye
    expect(most).toBeLessThan(50);
    expect(house.log.matching(/cannot reach/)).toHaveLength(1);
    if (hasDescriptors) await until(() => descriptors() <= before, 'no descriptor is left');
    server.close();
    await once(server, 'close');
  }, 400_000);
});

describe('H3 clients that upgrade and stay silent', () => {
  const clients = volume(200, 1_000);

  it(`hold state for no longer than handshakeMs: ${clients} of them at once`, async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses as [House, House];
    const [dialer, acceptor] = localDials(a.origin, b.origin) ? [a, b] : [b, a];
    const grid = acceptor.grid({ auth: 'none', limits: { handshakeMs: 500, pendingHandshakes: clients } });
    void grid.start();
    const closes: [number, string][] = [];
    await Promise.all(
      Array.from({ length: clients }, async () => {
        const client = await RawDialer.open(acceptor.origin, 'x');
        client.ws.once('close', (code, reason) => closes.push([code, reason.toString()]));
      }),
    );
    await until(() => closes.length === clients, 'all are closed', 60_000);
    for (const close of closes) expect(close).toEqual([1008, expect.stringContaining('handshakeMs')]);
    await until(() => acceptor.sockets === 0, 'no socket is left');
    // their places are free for one that speaks
    const honest = await RawDialer.open(acceptor.origin, 'x');
    expect((await honest.connect(dialer.origin, 'x')).accepted).toBe(true);
    honest.ws.terminate();
  }, 200_000);
});
