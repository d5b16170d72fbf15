import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { bytes, type CallContext } from '../../lib/calls/index.js';
import { isDisconnected } from '../../lib/errors/index.js';
import { GridManager } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { allConnected, Neighbourhood, SECRET, type House } from './neighbourhood.js';
import { rejectionOf } from './refusal.js';
import { until } from './until.js';

/** Failures that real use of this design found, as far as they take hosts and sockets. */

/** `full` runs the stated numbers, `ci` what fits a minute. */
const full = process.env['GRID_TEST_SCALE'] === 'full';

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

const running = (grid: GridManager): number => grid.stats().peers.reduce((sum, peer) => sum + peer.running, 0);
const open = (grid: GridManager): number =>
  grid.stats().peers.reduce((sum, peer) => sum + peer.outgoing + peer.incoming, 0);

describe('under load', () => {
  it.each(full ? [100, 10_000, 65_000] : [100, 10_000])(
    'B10 a link that is cut under %i requests and as many streams ends each once, leaves nothing, and comes back',
    async (count) => {
      const release: (() => void)[] = [];
      const [a, b] = (await grids(2, (grid) => {
        grid.handle(
          60,
          { kind: 'request', codec: bytes() },
          () => new Promise<void>((resolve) => release.push(resolve)),
        );
        grid.handle(61, { kind: 'request', codec: bytes() }, (payload) => payload);
        grid.handle(63, { kind: 'stream', codec: bytes() }, (_payload, { signal }: CallContext) => {
          return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        });
      })) as [GridManager, GridManager];
      for (const grid of [a, b]) void grid.start();
      await allConnected(a, b);
      const peer = a.peer(b.local);
      const streams = Math.min(count, 5_000);
      const ends: unknown[] = [];
      const count1 = (error: unknown): void => void ends.push(error);
      for (let i = 0; i < count; i++) peer.request(60, undefined, { timeoutMs: 600_000 }).then(count1, count1);
      for (let i = 0; i < streams; i++) peer.stream(63, undefined).done.then(count1, count1);
      await until(() => running(b) === Math.min(count, 20_000) + streams, 'all run', 20_000);
      for (const house of hood.houses) house.killIncoming();
      await until(() => ends.length === count + streams, 'every call has ended', 20_000);
      // past the limit runningRequests calls were refused before
      expect(ends.filter((error) => !isDisconnected(error)).length).toBe(Math.max(0, count - 20_000));
      for (const answer of release) answer();
      await allConnected(a, b);
      expect(Buffer.from((await peer.request(61, Buffer.from('back'))) as Uint8Array).toString()).toBe('back');
      await until(() => open(a) + open(b) + running(a) + running(b) === 0, 'nothing is left');
    },
    60_000,
  );

  it('B45 many hosts that start at any moment are all connected with all', async () => {
    const count = full ? 32 : 12;
    const made = await grids(count);
    for (const [index, grid] of made.entries())
      setImmediate(() => setTimeout(() => void grid.start(), (index * 37) % 200));
    await allConnected(...made);
    const links = made.flatMap(({ peers }) => peers).filter(({ state }) => state === 'connected');
    expect(links).toHaveLength(count * (count - 1));
    expect(made.every((grid) => grid.stats().peers.every(({ reconnects }) => reconnects === 0))).toBe(true);
  }, 30_000);
});

describe('one link among others', () => {
  it('B15 killing the socket of one grid leaves the other grid of the same two hosts alone', async () => {
    hood = await Neighbourhood.build(2);
    const [a, b] = hood.houses.map((house) => house.grid()) as [GridManager, GridManager];
    const [lockA, lockB] = hood.houses.map((house) => house.grid({ name: 'locks', route: '/locks/v1' })) as [
      GridManager,
      GridManager,
    ];
    for (const grid of [a, b, lockA, lockB]) grid.handle(60, { kind: 'request' }, (payload) => payload);
    for (const grid of [a, b]) void grid.start();
    await allConnected(a, b);
    const [socket] = hood.houses.flatMap((house) => house.incoming);
    for (const grid of [lockA, lockB]) void grid.start();
    await allConnected(lockA, lockB);
    const down = new Promise((resolve) => {
      a.events.subscribe((event) => event.type === 'down' && resolve(event));
    });
    let lost = 0;
    lockA.events.subscribe((event) => event.type === 'down' && lost++);
    // saturated by data: a request of the locks grid does not wait behind it
    const data = Array.from({ length: 8 }, () => a.peer(b.local).request(60, Buffer.alloc(1 << 20)));
    expect(await lockA.peer(b.local).request(60, 'lock')).toBe('lock');
    await Promise.all(data);
    socket!.destroy();
    await down;
    expect(await lockA.peer(b.local).request(60, 'still')).toBe('still');
    expect(lost).toBe(0);
    await allConnected(a, b);
  });

  it.each(['dialer', 'acceptor'])(
    'H10 a socket that is half-closed or killed at the %s is noticed at both ends',
    async (end) => {
      const [a, b] = (await grids(2, (grid) => {
        grid.handle(60, { kind: 'request' }, () => new Promise(() => {}));
      })) as [GridManager, GridManager];
      for (const grid of [a, b]) void grid.start();
      await allConnected(a, b);
      const pending = [a.peer(b.local).request(60), b.peer(a.local).request(60)].map(rejectionOf);
      await until(() => running(a) + running(b) === 2, 'both run');
      const [socket] = hood.houses.flatMap((house) => house.incoming);
      if (end === 'acceptor') socket!.end();
      else socket!.resetAndDestroy();
      for (const error of await Promise.all(pending)) expect(isDisconnected(error)).toBe(true);
      await allConnected(a, b);
    },
  );
});

describe('before and after', () => {
  it('B30 what a handler needs may be missing: it answers so, and is never unknown; twice is refused loudly', async () => {
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
    await new Promise<void>((resolve) => setImmediate(resolve));
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

  it('B38 large and small messages in turn leave no memory behind', async () => {
    const [a, b] = (await grids(2, (grid) => {
      grid.handle(60, { kind: 'request', codec: bytes() }, (payload) => payload);
    })) as [GridManager, GridManager];
    for (const grid of [a, b]) void grid.start();
    await allConnected(a, b);
    const peer = a.peer(b.local);
    const turn = async (size: number): Promise<void> => {
      const answer = (await peer.request(60, Buffer.alloc(size), { codec: bytes() })) as Uint8Array;
      expect(answer.length).toBe(size);
    };
    for (const size of [1024, 15 << 20, 1024]) await turn(size);
    const before = await buffersAfterGc();
    for (let i = 0; i < 5; i++) {
      await turn(15 << 20);
      await turn(1024);
    }
    // far below one of the large messages
    expect((await buffersAfterGc()) - before).toBeLessThan(8 << 20);
  }, 30_000);

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

/** Bytes of buffers that are still in use. */
async function buffersAfterGc(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().arrayBuffers;
}
