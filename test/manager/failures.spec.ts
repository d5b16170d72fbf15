import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { GridManager } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { allConnected, Neighbourhood, SECRET, type House } from './neighbourhood.js';
import { rejectionOf } from './refusal.js';

/** Failures that real use of this design found, as far as they take hosts and sockets. */

let hood: Neighbourhood;
afterEach(() => {
  jest.restoreAllMocks();
  return hood.close();
});

async function grids(count: number, prepare: (grid: GridManager) => void = () => {}): Promise<GridManager[]> {
  hood = await Neighbourhood.build(count);
  const made = hood.houses.map((house) => house.grid());
  made.forEach(prepare);
  return made;
}

describe('before and after', () => {
  it('B30 what a handler needs may be missing: it answers so, and is never unknown; twice is refused', async () => {
    const disk: { content?: string } = {};
    const [a, b] = (await grids(2, (grid) => {
      grid.handle(60, { kind: 'request', subroute: 'disk1' }, () => {
        if (disk.content === undefined) throw new Error('no such disk');
        return disk.content;
      });
      expect(() => grid.handle(60, { kind: 'request', subroute: 'disk1' }, () => 1)).toThrow('two handlers for');
    })) as [GridManager, GridManager];
    for (const grid of [a, b]) void grid.start();
    await allConnected(a, b);
    const peer = a.peer(b.local).subroute('disk1');
    expect(await rejectionOf(peer.request(60))).toMatchObject({ code: 'INTERNAL', remote: true });
    disk.content = 'there';
    expect(await peer.request(60)).toBe('there');
  });

  it('H4 a grid that has not started is connected in neither direction', async () => {
    const [a, b] = (await grids(2)) as [GridManager, GridManager];
    void a.start();
    // whichever of the two dials: an attempt is refused, or none is made
    await expect(a.peer(b.local).waitForConnect({ timeoutMs: 200 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    expect([a.peer(b.local).state, b.peer(a.local).state]).toEqual(['connecting', 'connecting']);
    void b.start();
    await allConnected(a, b);
  });

  it('B51 after close() nothing is logged and nobody is called any more', async () => {
    const [a, b] = (await grids(2)) as [GridManager, GridManager];
    for (const grid of [a, b]) void grid.start();
    await allConnected(a, b);
    await Promise.all([a.close(), b.close()]);
    const lines = hood.houses.map((house) => house.log.lines.length);
    let events = 0;
    for (const grid of [a, b]) grid.events.subscribe(() => events++);
    for (const house of hood.houses) house.killIncoming();
    await turn();
    expect(hood.houses.map((house) => house.log.lines.length)).toEqual(lines);
    expect(events).toBe(0);
  });
});

describe('names, sizes and texts', () => {
  it('B43 a host that moves to another address is found there, and its absence makes two lines at most', async () => {
    hood = await Neighbourhood.build(1);
    const [house] = hood.houses as [House];
    const servers = await twoServersOnOnePort();
    const { port } = servers[0]!.address() as AddressInfo;
    const moving = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
      .map((name) => `http://${name}.test:${port}`)
      .find((name) => localDials(house.origin, name))!;
    const hosts = [house.origin, moving];
    let address: string | undefined = '127.0.0.1';
    let failed = 0;
    const { lookup } = dns;
    jest.spyOn(dns, 'lookup').mockImplementation(((name: string, options: object, done: LookupDone) => {
      if (!name.endsWith('.test')) lookup(name, options, done as never);
      else if (address === undefined) {
        failed++;
        done(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);
      } else done(null, [{ address, family: 4 }]);
    }) as never);
    const grid = house.grid({ hosts });
    const at = (server: Server): GridManager => {
      const made = new GridManager({ local: moving, hosts, auth: { secret: SECRET }, logger: house.log });
      made.attach(server);
      void made.start();
      return made;
    };
    const first = at(servers[0]!);
    void grid.start();
    await allConnected(grid);
    address = undefined;
    await first.close();
    await until(() => failed > 3, 'it was tried in vain');
    const second = at(servers[1]!);
    address = '127.0.0.2';
    await allConnected(grid);
    expect(house.log.matching(new RegExp(moving))).toHaveLength(2);
    await second.close();
    for (const server of servers) server.close();
  });

  it('B48 what a handler and the statistics are told of a call names the caller', async () => {
    let seen: string | undefined;
    const [a, b] = (await grids(2, (grid) => {
      grid.handle(60, { kind: 'request' }, (_payload, context) => {
        seen = context.peer;
      });
    })) as [GridManager, GridManager];
    for (const grid of [a, b]) void grid.start();
    await allConnected(a, b);
    await a.peer(b.local).request(60);
    expect(seen).toBe(a.local);
    const incoming = b.stats().peers.find(({ host }) => host === a.local)!.handlers;
    expect(incoming).toMatchObject([{ handler: 60, direction: 'incoming', calls: 1 }]);
  });

  it('B49 a payload of 1 MiB stands in no log line, however its handler fails', async () => {
    const [a, b] = (await grids(2, (grid) => {
      grid.handle(60, { kind: 'request' }, (payload) => {
        throw new Error(`cannot take ${String(payload).length} characters`);
      });
      grid.handle(61, { kind: 'event' }, () => {
        throw new TypeError('no');
      });
    })) as [GridManager, GridManager];
    for (const grid of [a, b]) void grid.start();
    await allConnected(a, b);
    const payload = 'secret'.repeat(175_000);
    await rejectionOf(a.peer(b.local).request(60, payload));
    await a.peer(b.local).emit(61, payload);
    await rejectionOf(a.peer(b.local).request(200, payload));
    const lines = hood.houses.flatMap((house) => house.log.lines);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line).not.toContain('secretsecret');
      expect(line.length).toBeLessThan(3_200);
    }
  });
});

type LookupDone = (error: Error | null, addresses: { address: string; family: number }[]) => void;

/** The same port on two addresses of the loopback. */
async function twoServersOnOnePort(): Promise<Server[]> {
  for (;;) {
    const first = createServer();
    await once(first.listen(0, '127.0.0.1'), 'listening');
    const second = createServer();
    const listening = once(second, 'listening');
    second.listen((first.address() as AddressInfo).port, '127.0.0.2');
    const taken = await listening.then(
      () => false,
      () => true,
    );
    if (!taken) return [first, second];
    first.close();
  }
}
