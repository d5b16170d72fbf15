import { afterEach, describe, expect, it } from '@jest/globals';
import { firstValueFrom, filter, toArray } from 'rxjs';
import type { GridEvent, GridPeer } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { until } from '../until.js';
import { allConnected, Neighbourhood, type House } from './neighbourhood.js';
import { seeded } from '../random.js';
import { volume } from '../scale.js';
import { turn } from '../turn.js';
import { rejectionOf } from './refusal.js';

let hood: Neighbourhood;

afterEach(() => hood.close());

/** The two houses, the dialer first. */
async function two(): Promise<[House, House]> {
  hood = await Neighbourhood.build(2);
  const [a, b] = hood.houses as [House, House];
  return localDials(a.origin, b.origin) ? [a, b] : [b, a];
}

describe('connecting', () => {
  it.each([
    ['dialer', 0],
    ['acceptor', 1],
  ])('works when the %s starts first', async (_, first) => {
    const houses = await two();
    const early = houses[first]!.grid();
    void early.start();
    // the other one is not there yet: its server answers 404
    await until(() => first === 1 || houses[1].sockets > 0 || houses[0].log.lines.length > 0, 'the first dial');
    const late = houses[1 - first]!.grid();
    void late.start();
    await allConnected(early, late);
    expect(early.peer(late.local).state).toBe('connected');
    expect(late.peer(early.local).state).toBe('connected');
  });

  it('makes one connection for each pair of five hosts', async () => {
    hood = await Neighbourhood.build(5);
    const grids = hood.houses.map((house) => house.grid());
    for (const grid of [...grids].reverse()) void grid.start();
    await allConnected(...grids);
    expect(hood.houses.reduce((sum, house) => sum + house.sockets, 0)).toBe(10);
    expect(grids.every((grid) => grid.peers.length === 4)).toBe(true);
  });

  it('start() waits for the peers that the options ask for', async () => {
    const [dialer, acceptor] = await two();
    const waiting = dialer.grid({ waitForPeers: true });
    const started = waiting.start();
    void acceptor.grid().start();
    await started;
    expect(waiting.peers[0]!.state).toBe('connected');
    await waiting.start();
  });

  it('start() rejects when the peers are late, and goes on', async () => {
    const [dialer, acceptor] = await two();
    const waiting = dialer.grid({ waitForPeers: { timeoutMs: 30 } });
    await expect(waiting.start()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', peer: acceptor.origin });
    const late = acceptor.grid();
    void late.start();
    await allConnected(waiting, late);
  });

  it('tells what happens as events', async () => {
    const [dialer, acceptor] = await two();
    const grid = dialer.grid();
    const told: GridEvent[] = [];
    grid.events.subscribe((event) => told.push(event));
    void grid.start();
    const first = acceptor.grid();
    void first.start();
    await allConnected(grid, first);
    await first.close();
    await until(() => grid.peers[0]!.state === 'disconnected', 'the loss');
    const second = acceptor.grid();
    void second.start();
    await allConnected(grid, second);
    const peer = acceptor.origin;
    const lives = told.filter(({ type }) => type !== 'refused');
    expect(lives).toMatchObject([
      { type: 'up', peer, restarted: false },
      { type: 'draining', peer, reason: 'this host is shutting down' },
      { type: 'down', peer, error: { code: 'UNAVAILABLE' } },
      { type: 'restarted', peer },
      { type: 'up', peer, restarted: true },
    ]);
  });

  it('tells the state of a peer, and that it is over', async () => {
    const [dialer, acceptor] = await two();
    const [grid, other] = [dialer.grid(), acceptor.grid()];
    const states = firstValueFrom(grid.peers[0]!.status.pipe(toArray()));
    void grid.start();
    void other.start();
    await allConnected(grid);
    await grid.close();
    expect(await states).toEqual(['connecting', 'connected', 'closed']);
  });

  it.each(['dialer', 'acceptor'])('redials after the %s lost the socket', async (side) => {
    const [dialer, acceptor] = await two();
    const [grid, other] = [dialer.grid(), acceptor.grid()];
    void grid.start();
    void other.start();
    await allConnected(grid, other);
    const watched = side === 'dialer' ? grid : other;
    const back = firstValueFrom(watched.events.pipe(filter(({ type }) => type === 'up')));
    acceptor.killIncoming();
    await until(() => grid.peers[0]!.state !== 'connected' && other.peers[0]!.state !== 'connected', 'both see it');
    await back;
    await allConnected(grid, other);
    expect(watched.stats().peers[0]).toMatchObject({ state: 'connected', reconnects: 1 });
    expect((await back).type === 'up' && ((await back) as { restarted: boolean }).restarted).toBe(false);
  });

  it(`B08 each wait for a connection ends, whenever it began: ${volume(50, 500)} rounds`, async () => {
    const [dialer, acceptor] = await two();
    const random = seeded(8);
    const [grid, other] = [dialer.grid({ intervals: { redialMs: 1 } }), acceptor.grid()];
    void grid.start();
    void other.start();
    await allConnected(grid, other);
    for (let round = 0; round < volume(50, 500); round++) {
      const waits: Promise<void>[] = [];
      const wait = (): void => {
        for (const { peers } of [grid, other]) waits.push(peers[0]!.waitForConnect({ timeoutMs: 15_000 }));
      };
      const before = grid.stats().peers[0]!.reconnects;
      // some turns of the loop before, at, and after the cut
      const begins = Math.floor(random() * 12);
      for (let turns = 0; turns < 12; turns++) {
        if (turns === begins) wait();
        if (turns === 6) acceptor.killIncoming();
        await turn();
      }
      await until(() => grid.stats().peers[0]!.reconnects === before + 1, 'it is connected again');
      wait();
      await Promise.all(waits);
      await allConnected(grid, other);
    }
    // and the third way out: the last waits begin around the end of the grid
    acceptor.killIncoming();
    await until(() => grid.peers[0]!.state !== 'connected', 'the loss');
    await other.close();
    const [peer] = grid.peers as [GridPeer];
    const waits = [rejectionOf(peer.waitForConnect())];
    const closed = grid.close();
    waits.push(rejectionOf(peer.waitForConnect()));
    await closed;
    waits.push(rejectionOf(peer.waitForConnect()));
    for (const error of await Promise.all(waits)) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: 'closed' });
    }
    expect(await rejectionOf(peer.request(60))).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the grid is closed',
      reason: 'closed',
      notSent: true,
    });
  }, 300_000);

  it('a wait refuses options that would be no end of it', async () => {
    const [house] = await two();
    const grid = house.grid();
    const [peer] = grid.peers as [GridPeer];
    for (const [options, text] of [
      [500, 'options is 500; it must be an object, like { timeoutMs: 500 }'],
      [null, 'options is null; it must be an object, like { timeoutMs: 500 }'],
      [{ timeoutMs: NaN }, 'timeoutMs must be a number of milliseconds, not NaN'],
      [{ timeoutMs: '500' }, "timeoutMs must be a number of milliseconds, not '500'"],
    ]) {
      const wait = peer.waitForConnect(options as never);
      expect(await rejectionOf(wait)).toMatchObject({ code: 'INVALID_ARGUMENT', message: text });
    }
    const endless = rejectionOf(peer.waitForConnect({ timeoutMs: Infinity }));
    expect((await rejectionOf(peer.waitForConnect({ timeoutMs: 0 }))).code).toBe('DEADLINE_EXCEEDED');
    await grid.close();
    expect((await endless).reason).toBe('closed');
  });

  it('two grids of one host with routes of their own live on one server', async () => {
    const [dialer, acceptor] = await two();
    const bulk = [dialer, acceptor].map((house) => house.grid({ name: 'bulk' }));
    const locks = [dialer, acceptor].map((house) => house.grid({ name: 'locks', route: '/grid/locks' }));
    for (const grid of [...bulk, ...locks]) void grid.start();
    await allConnected(...bulk, ...locks);
    expect(acceptor.sockets).toBe(2);
    await Promise.all(bulk.map((grid) => grid.close()));
    expect(locks[0]!.peers[0]!.state).toBe('connected');
    const response = await fetch(acceptor.origin);
    expect(await response.text()).toBe('plain');
  });

  it('B47 counts the same bytes at both ends', async () => {
    const [dialer, acceptor] = await two();
    const [grid, other] = [dialer.grid(), acceptor.grid()];
    void grid.start();
    void other.start();
    await allConnected(grid, other);
    await grid.peers[0]!.ping();
    await other.peers[0]!.ping();
    const [here, there] = [grid.stats().peers[0]!, other.stats().peers[0]!];
    expect(here.bytesOut).toBeGreaterThan(0);
    expect([there.framesIn, there.bytesIn]).toEqual([here.framesOut, here.bytesOut]);
    expect([here.framesIn, here.bytesIn]).toEqual([there.framesOut, there.bytesOut]);
    expect(here.lastPingMs).toBeGreaterThanOrEqual(0);
    expect([here.dials, there.dials]).toEqual([true, false]);
  });
});
