import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { filter, firstValueFrom, lastValueFrom, toArray } from 'rxjs';
import { bytes, defineRequest, defineStream, type CallContext } from '../../lib/calls/index.js';
import { isDisconnected } from '../../lib/errors/index.js';
import type { GridManager, HandlerStats, Settled } from '../../lib/manager/index.js';
import { localDials } from '../../lib/manager/who-dials.js';
import { turn } from '../turn.js';
import { until } from '../until.js';
import { allConnected, Neighbourhood, type House } from './neighbourhood.js';
import { rejectionOf, thrownBy } from './refusal.js';

const Echo = defineRequest<string, string>({ id: 60, name: 'echo' });
const Count = defineStream<number, never, number>({ id: 61, name: 'count', outCapacity: 4 });

let hood: Neighbourhood;
let houses: House[];

afterEach(() => hood.close());

/** Connected grids, the dialer first where there are two. */
async function mesh(
  count: number,
  prepare: (grid: GridManager, index: number) => void = () => {},
): Promise<GridManager[]> {
  hood = await Neighbourhood.build(count);
  houses = [...hood.houses];
  if (count === 2 && localDials(houses[1]!.origin, houses[0]!.origin)) houses.reverse();
  const grids = houses.map((house) => house.grid());
  grids.forEach(prepare);
  for (const grid of grids) void grid.start();
  await allConnected(...grids);
  return grids;
}

function serve(grid: GridManager): void {
  grid.handle(Echo, {}, (text) => text);
  grid.handle(Count, {}, async function* (to) {
    for (let i = 0; i < to; i++) yield i;
  });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('calls between two hosts', () => {
  it('go both ways over one connection', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    expect(await a.peer(b.local).request(Echo, 'from a')).toBe('from a');
    expect(await b.peer(a.local).request(Echo, 'from b')).toBe('from b');
    expect(await collect(a.peer(b.local).stream(Count, 20))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(houses[0]!.sockets + houses[1]!.sockets).toBe(1);
  });

  it('give one answer or many as an Observable, of a contract too', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    const answer: string = await lastValueFrom(a.peer(b.local).send(Echo, 'from a'));
    const many: number[] = await lastValueFrom(a.peer(b.local).send(Count, 3).pipe(toArray()));
    expect([answer, many]).toEqual(['from a', [0, 1, 2]]);
  });

  it('tell the handler who calls', async () => {
    const [a, b] = (await mesh(2, (grid) => grid.handle(60, {}, (_: unknown, { peer }: CallContext) => peer))) as [
      GridManager,
      GridManager,
    ];
    expect(await a.peer(b.local).request(60)).toBe(a.local);
    expect(await b.peer(a.local).request(60)).toBe(b.local);
    expect(await a.peer(a.local).request(60)).toBe(a.local);
  });

  it('bring a copy of their metadata that has no prototype, to the host itself too', async () => {
    const seen: Readonly<Record<string, string>>[] = [];
    const [a, b] = (await mesh(2, (grid) => {
      grid.handle(60, {}, async (_: unknown, context: CallContext) => {
        await turn();
        seen.push(context.getMetadata());
      });
    })) as [GridManager, GridManager];
    for (const peer of [b.local, a.local]) {
      const metadata: Record<string, string> = { user: 'ann' };
      const call = a.peer(peer).request(60, undefined, { metadata });
      metadata['user'] = 'eve';
      await call;
    }
    expect(seen.map((each) => [Object.getPrototypeOf(each), { ...each }])).toEqual([
      [null, { user: 'ann' }],
      [null, { user: 'ann' }],
    ]);
  });

  it('reach subroutes', async () => {
    const [a, b] = (await mesh(2, (grid) => {
      grid.handle(60, { subroute: ['disk1', 'x'] }, () => 'disk1/x');
      grid.handle('sum', {}, (values: number[]) => values.reduce((sum, value) => sum + value, 0));
    })) as [GridManager, GridManager];
    expect(await a.peer(b.local).request({ id: 60, subroute: 'disk1/x' })).toBe('disk1/x');
    expect(await a.peer(b.local).subroute('disk1').subroute('x').request(60)).toBe('disk1/x');
    for (const subroute of ['disk1/x', ['disk1', 'x']]) {
      expect(await a.peer(b.local, subroute).request(60)).toBe('disk1/x');
    }
    for (const empty of ['', [], ['disk1', '']]) {
      expect(thrownBy(() => a.peer(b.local, empty)).code).toBe('INVALID_ARGUMENT');
    }
    expect(thrownBy(() => a.peer('http://stranger:1', 'disk1')).message).toContain('is not one of the hosts');
    expect(await a.peer(b.local).request('sum', [1, 2, 3])).toBe(6);
    expect((await rejectionOf(a.peer(b.local).request(60))).code).toBe('UNIMPLEMENTED');
    expect(thrownBy(() => a.handle('sum2', { subroute: 'x' }, () => 0)).message).toContain('goes with a handler ID');
  });

  it('to an unknown handler fail with UNIMPLEMENTED and leave the connection', async () => {
    const [a, b] = (await mesh(2)) as [GridManager, GridManager];
    const error = await rejectionOf(a.peer(b.local).request(99));
    expect(error).toMatchObject({ code: 'UNIMPLEMENTED', remote: true, notSent: true, peer: b.local });
    expect(a.peer(b.local).state).toBe('connected');
  });

  it('P30 end as disconnected when the sockets die, and the connection comes back', async () => {
    const called = new EventEmitter();
    const [a, b] = (await mesh(2, (grid) => {
      serve(grid);
      grid.handle(70, {}, () => {
        called.emit('called');
        return new Promise(() => {});
      });
    })) as [GridManager, GridManager];
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const running = once(called, 'called');
      const pending = rejectionOf(from.peer(to.local).request(70));
      await running;
      const back = firstValueFrom(from.events.pipe(filter(({ type }) => type === 'up')));
      for (const house of houses) house.killIncoming();
      const error = await pending;
      expect(isDisconnected(error)).toBe(true);
      expect(error).toMatchObject({
        code: 'UNAVAILABLE',
        message: 'remote disconnected',
        notSent: false,
        peer: to.local,
      });
      await back;
      await allConnected(a, b);
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => from.peer(to.local).request(Echo, `call ${i}`)),
      );
      expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => `call ${i}`));
    }
  });

  it('P31 streams too: the handler is aborted, the caller gets an error', async () => {
    const told = new EventEmitter();
    const [a, b] = (await mesh(2, (grid) => {
      grid.handle(
        71,
        { kind: 'stream', inCapacity: 1, outCapacity: 1 },
        async function* (_: unknown, { signal }: CallContext) {
          told.emit('called');
          await once(signal, 'abort');
          told.emit('aborted', signal.reason);
          yield 'never';
        },
      );
    })) as [GridManager, GridManager];
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const [called, aborted] = [once(told, 'called'), once(told, 'aborted')];
      const stream = from.peer(to.local).stream(71, undefined, { inCapacity: 1 });
      await called;
      for (const house of houses) house.killIncoming();
      expect(isDisconnected((await aborted)[0])).toBe(true);
      expect(isDisconnected(await rejectionOf(collect(stream)))).toBe(true);
      await until(() => a.peer(b.local).state === 'connected' && b.peer(a.local).state === 'connected', 'back');
    }
  });

  it('fail at once while not connected, and were not sent', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    await b.close();
    await until(() => a.peer(b.local).state === 'disconnected', 'the loss');
    const error = await rejectionOf(a.peer(b.local).request(Echo, 'x'));
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'not-connected',
      notSent: true,
      remote: false,
      peer: b.local,
    });
    expect(await rejectionOf(collect(a.peer(b.local).stream(Count, 1)))).toMatchObject({
      code: 'UNAVAILABLE',
      notSent: true,
    });
    expect(await rejectionOf(a.peer(b.local).ping())).toMatchObject({ code: 'UNAVAILABLE', notSent: true });
  });

  it('fail with a clear text before start()', async () => {
    hood = await Neighbourhood.build(2);
    const grid = hood.houses[0]!.grid();
    for (const peer of [grid.peers[0]!, grid.peer(grid.local)]) {
      expect(await rejectionOf(peer.request(60))).toMatchObject({
        code: 'UNAVAILABLE',
        message: 'the grid is not started',
        notSent: true,
      });
    }
  });

  it('to a host that is not in the list throw, naming the hosts', async () => {
    const [a, b] = (await mesh(2)) as [GridManager, GridManager];
    const error = thrownBy(() => a.peer('http://127.0.0.1:1'));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain(a.local);
    expect(error.message).toContain(b.local);
  });

  it('are counted per handler', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    for (let i = 0; i < 3; i++) await a.peer(b.local).request(Echo, 'x');
    await rejectionOf(a.peer(b.local).request(99));
    await collect(a.peer(b.local).stream(Count, 3));
    await until(() => b.stats().peers[0]!.running === 0 && b.stats().peers[0]!.incoming === 0, 'the handlers ended');
    const [here, there] = [a.stats().peers[0]!, b.stats().peers[0]!];
    expect(here).toMatchObject({
      host: b.local,
      state: 'connected',
      outgoing: 0,
      incoming: 0,
      queued: 0,
      reconnects: 0,
    });
    expect(here.handlers).toMatchObject([
      { handler: 60, direction: 'outgoing', kind: 'request', calls: 3, errors: {} },
      { handler: 61, direction: 'outgoing', kind: 'stream', calls: 1, errors: {} },
      { handler: 99, direction: 'outgoing', kind: 'request', calls: 1, errors: { UNIMPLEMENTED: 1 } },
    ]);
    expect(there.handlers).toMatchObject([
      { handler: 60, direction: 'incoming', kind: 'request', calls: 3, errors: {} },
      { handler: 61, direction: 'incoming', kind: 'stream', calls: 1, errors: {} },
    ]);
    const { latency } = here.handlers[0]!;
    expect(latency.count).toBe(3);
    expect(latency.maxMs).toBeGreaterThanOrEqual(latency.p50Ms);
  });

  it('are told apart by pattern and subroute, at both ends', async () => {
    const [a, b] = (await mesh(2, (grid) => {
      for (const pattern of ['sum', 'max']) grid.handle(pattern, {}, () => pattern);
      for (const subroute of ['disk1', 'disk2']) grid.handle(60, { subroute }, () => subroute);
      grid.handle('told', { kind: 'event' }, () => undefined);
    })) as [GridManager, GridManager];
    const peer = a.peer(b.local);
    await peer.request('sum');
    await peer.request('max');
    await peer.subroute('disk1').request(60);
    await peer.subroute('disk2').request(60);
    expect(await collect(peer.subroute('disk2').stream(60))).toEqual(['disk2']);
    await peer.emit('told');
    const counted = (grid: GridManager): unknown[] =>
      grid.stats().peers[0]!.handlers.map(({ handler, pattern, kind, calls }) => [handler, pattern, kind, calls]);
    expect(counted(b)).toEqual([
      [60, '60/disk1', 'request', 1],
      [60, '60/disk2', 'request', 1],
      [60, '60/disk2', 'stream', 1],
      [255, 'sum', 'request', 1],
      [255, 'max', 'request', 1],
      [255, 'told', 'request', 1],
    ]);
    expect(counted(a)).toEqual(counted(b));
  });

  it('are counted twice where `send` is answered by a stream: as a request, and as that stream', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    await lastValueFrom(a.peer(b.local).send(Echo, 'x'));
    await lastValueFrom(a.peer(b.local).send(Count, 3));
    const counted = (grid: GridManager): unknown[] =>
      grid.stats().peers[0]!.handlers.map(({ handler, kind, calls, errors }) => [handler, kind, calls, errors]);
    const both = [
      [60, 'request', 1, {}],
      [61, 'request', 1, {}],
      [61, 'stream', 1, {}],
    ];
    await until(() => b.stats().peers[0]!.incoming === 0, 'the stream is over at its handler');
    expect([counted(a), counted(b)]).toEqual([both, both]);
  });

  it('are counted while the peer is away, though none is made', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    const peer = a.peer(b.local);
    await peer.request(Echo, 'x');
    await b.close();
    await until(() => a.peers[0]!.state !== 'connected', 'the peer is away');
    await rejectionOf(peer.request(Echo, 'x'));
    await rejectionOf(peer.emit(60));
    await rejectionOf(lastValueFrom(peer.send(60)));
    await rejectionOf(peer.subroute('disk1').request(60));
    await rejectionOf(collect(peer.stream(Count, 1)));
    const counted = (): readonly HandlerStats[] => a.stats().peers[0]!.handlers;
    expect(counted()).toMatchObject([
      { handler: 60, pattern: undefined, kind: 'request', open: 0, calls: 4, errors: { UNAVAILABLE: 3 } },
      { handler: 60, pattern: '60/disk1', kind: 'request', open: 0, calls: 1, errors: { UNAVAILABLE: 1 } },
      { handler: 61, kind: 'stream', open: 0, calls: 1, errors: { UNAVAILABLE: 1 } },
    ]);
    // those that took no time make the others look no faster
    expect(counted().map(({ latency }) => latency.count)).toEqual([1, 0, 0]);
    await a.close();
    await rejectionOf(a.peer(a.local).request(Echo, 'x'));
    expect(a.stats().self.handlers).toMatchObject([{ handler: 60, calls: 1, errors: { UNAVAILABLE: 1 } }]);
  });

  it('are counted once where only their signal cannot be listened to', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    const signal = new AbortController().signal;
    signal.addEventListener = () => {
      throw new Error('not this one');
    };
    await rejectionOf(a.peer(b.local).request(Echo, 'x', { signal, timeoutMs: 5_000 }));
    await until(() => a.stats().peers[0]!.outgoing === 0, 'the call is over');
    expect(a.stats().peers[0]!.handlers).toMatchObject([{ handler: 60, calls: 1, open: 0 }]);
  });

  it('that a handler refuses are counted where it is, too', async () => {
    let end = (): void => {};
    const [a, b] = (await mesh(2, (grid) => {
      const ended = new Promise<void>((resolve) => (end = resolve));
      grid.handle(60, { concurrency: 1, kind: 'request' }, () => ended);
      grid.handle(61, { kind: 'stream' }, async function* () {});
    })) as [GridManager, GridManager];
    const peer = a.peer(b.local);
    const first = peer.request(60);
    for (const refused of [peer.request(60), peer.request(61), collect(peer.stream(60)), peer.request(99)]) {
      expect((await rejectionOf(refused)).notSent).toBe(true);
    }
    end();
    await first;
    await until(() => b.stats().peers[0]!.incoming === 0, 'the handler ended');
    expect(b.stats().peers[0]!.handlers).toMatchObject([
      { handler: 60, kind: 'request', open: 0, calls: 2, errors: { RESOURCE_EXHAUSTED: 1 }, latency: { count: 1 } },
      { handler: 60, kind: 'stream', open: 0, calls: 1, errors: { UNIMPLEMENTED: 1 }, latency: { count: 0 } },
      // what is no handler here makes no entry: it may be anything
      { handler: 61, kind: 'request', open: 0, calls: 1, errors: { FAILED_PRECONDITION: 1 }, latency: { count: 0 } },
    ]);
    expect(a.stats().peers[0]!.handlers.map(({ handler, kind, errors }) => [handler, kind, errors])).toEqual([
      [60, 'request', { RESOURCE_EXHAUSTED: 1 }],
      [60, 'stream', { UNIMPLEMENTED: 1 }],
      [61, 'request', { FAILED_PRECONDITION: 1 }],
      [99, 'request', { UNIMPLEMENTED: 1 }],
    ]);
  });

  it('are counted while they run: bytes, and of streams the credits and what waits unread', async () => {
    const [a, b] = (await mesh(2)) as [GridManager, GridManager];
    const capacities = { inCapacity: 3, outCapacity: 4 };
    b.handle(70, { codec: bytes(), ...capacities }, async function* () {
      for (;;) yield Buffer.alloc(10);
    });
    const call = a.peer(b.local).stream(70, Buffer.alloc(5), { codec: bytes(), ...capacities });
    await call.write(Buffer.alloc(7));
    const both = (): HandlerStats[] => [a.stats().peers[0]!.handlers[0]!, b.stats().peers[0]!.handlers[0]!];
    await until(() => both()[0]!.unread === 4 && both()[1]!.unread === 1, 'all that may be sent has come');
    const open = { handler: 70, kind: 'stream', open: 1, calls: 0 };
    expect(both()).toMatchObject([
      { ...open, direction: 'outgoing', bytesOut: 12, bytesIn: 40, credits: 2, starved: 0, unread: 4 },
      { ...open, direction: 'incoming', bytesIn: 12, bytesOut: 40, credits: 0, starved: 1, unread: 1 },
    ]);
    call.cancel();
    await until(() => both()[1]!.open === 0, 'the stream is over at both ends');
    const over = { open: 0, calls: 1, credits: 0, starved: 0, unread: 0 };
    expect(both()).toMatchObject([over, over]);
    const request = a.peer(b.local).request(70, Buffer.alloc(20), { codec: bytes() });
    expect((await rejectionOf(request)).code).toBe('FAILED_PRECONDITION');
    expect(a.stats().peers[0]!.handlers.find(({ kind }) => kind === 'request')).toMatchObject({ bytesOut: 20 });
  });

  it('pass the interceptors, until they are taken away', async () => {
    const [a, b] = (await mesh(2, serve)) as [GridManager, GridManager];
    const seen: string[] = [];
    const remove = a.intercept((call, next) => {
      seen.push(`${call.kind} ${call.peer} ${call.pattern}`);
      return next(call);
    });
    await a.peer(b.local).request(Echo, 'x');
    remove();
    remove();
    await a.peer(b.local).request(Echo, 'y');
    expect(seen).toEqual([`request ${b.local} echo`]);
  });
});

describe('what would never work is refused where it is written', () => {
  it.each<[string, unknown[], string]>([
    ['no options', [80, () => 1], 'handle(80): options is a function; it must be an object, {} for none'],
    ['no function', [80, {}], 'the function of handler 80 is undefined; it must be a function of payload and context'],
    ['a name misspelled', [80, { concurency: 1 }, () => 1], 'handle(80): unknown option concurency; known are s'],
    ['another kind', [80, { kind: 'req' }, () => 1], "kind of handler 80 is 'req'; it must be one of request, stream"],
  ])('handle with %s', async (_, args, text) => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid();
    const error = thrownBy(() => (grid.handle as (...all: unknown[]) => unknown).apply(grid, args));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(text) });
  });

  it('calls to all hosts with options that are none', async () => {
    hood = await Neighbourhood.build(2);
    const grid = hood.houses[0]!.grid();
    const text = 'options is 500; it must be an object, like { timeoutMs: 500 }';
    expect(await rejectionOf(grid.broadcast('told', 1, 500 as never))).toMatchObject({ message: text });
    expect(thrownBy(() => grid.requestAll(60, 1, 500 as never))).toMatchObject({ message: text });
  });

  it.each([5, undefined, {}, { requst: () => {} }, { request: 5 }])('intercept with %p', async (interceptor) => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid();
    expect(thrownBy(() => grid.intercept(interceptor as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^intercept: the interceptor is .*; it must be a function or an object with at/),
    });
  });
});

describe('calls to this host itself', () => {
  it('go through codec and pipeline: the payload is another object', async () => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid();
    serve(grid);
    let got: unknown;
    grid.handle(62, {}, (payload: unknown) => (got = payload));
    void grid.start();
    const self = grid.peer(grid.local);
    await self.waitForConnect();
    expect(self.state).toBe('connected');
    expect(grid.peers).toEqual([]);
    const sent = { deep: { list: [1, 2] } };
    expect(await self.request(62, sent)).toEqual(sent);
    expect(got).toEqual(sent);
    expect(got).not.toBe(sent);
    expect(await collect(self.stream(Count, 100))).toHaveLength(100);
    expect(await self.ping()).toBe(0);
    expect(grid.stats().self.handlers.length).toBeGreaterThan(0);
  });

  it('copy raw bytes', async () => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid({ codec: bytes() });
    const held: Uint8Array[] = [];
    grid.handle(63, {}, (payload: Uint8Array) => void held.push(payload));
    void grid.start();
    const sent = Buffer.from([1, 2, 3]);
    await grid.peer(grid.local).request(63, sent);
    sent.fill(9);
    expect([...held[0]!]).toEqual([1, 2, 3]);
  });

  it('see no AsyncLocalStorage store of the caller', async () => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid();
    const store = new AsyncLocalStorage<string>();
    grid.handle(64, {}, () => store.getStore() ?? 'clean');
    void grid.start();
    const answer = await store.run('the caller', async () => {
      const got = await grid.peer(grid.local).request(64);
      expect(store.getStore()).toBe('the caller');
      return got;
    });
    expect(answer).toBe('clean');
  });

  it('end when the grid is closed', async () => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid({ drainTimeoutMs: 0 });
    grid.handle(65, {}, () => new Promise(() => {}));
    void grid.start();
    const pending = rejectionOf(grid.peer(grid.local).request(65));
    await grid.close();
    expect(isDisconnected(await pending)).toBe(true);
    expect(await rejectionOf(grid.peer(grid.local).request(65))).toMatchObject({ reason: 'closed' });
    expect(await rejectionOf(grid.peer(grid.local).waitForConnect())).toMatchObject({ reason: 'closed' });
  });
});

describe('calls to all hosts', () => {
  const outcomes = (settled: readonly Settled<unknown>[]): Map<string, string> =>
    new Map(settled.map((one) => [one.peer, one.status === 'fulfilled' ? String(one.value) : one.error.code]));

  it('broadcast an event: each host has its own outcome', async () => {
    const heard: string[] = [];
    const grids = await mesh(4, (grid, index) => {
      if (index < 3)
        grid.handle('user.created', { kind: 'event' }, (name: string) => heard.push(`${grid.local} ${name}`));
    });
    await grids[2]!.close();
    const [first, second, third, fourth] = grids.map(({ local }) => local) as [string, string, string, string];
    await until(() => grids[0]!.peer(third).state !== 'connected', 'the third is gone');
    const settled = outcomes(await grids[0]!.broadcast('user.created', 'ann'));
    expect(settled).toEqual(
      new Map([
        [second, 'undefined'],
        [third, 'UNAVAILABLE'],
        [fourth, 'UNIMPLEMENTED'],
      ]),
    );
    expect(heard).toEqual([`${second} ann`]);
    expect(first).toBe(grids[0]!.local);
  });

  it('request all: the outcomes come as they come', async () => {
    const gates = new Map<string, () => void>();
    const grids = await mesh(4, (grid) => {
      grid.handle(60, {}, () => new Promise((resolve) => gates.set(grid.local, () => resolve(grid.local))));
    });
    const [, b, c, d] = grids.map(({ local }) => local) as [string, string, string, string];
    const results = grids[0]!.requestAll(60);
    const order: string[] = [];
    await until(() => gates.size === 3, 'all run');
    gates.get(d)!();
    for await (const one of results) {
      order.push(one.peer);
      if (one.peer === d) gates.get(b)!();
      if (one.peer === b) gates.get(c)!();
    }
    expect(order).toEqual([d, b, c]);
    expect(outcomes(await results.all())).toEqual(
      new Map([
        [d, d],
        [b, b],
        [c, c],
      ]),
    );
  });

  it('leaving the loop cancels the rest', async () => {
    const aborted: string[] = [];
    const grids = await mesh(3, (grid, index) => {
      grid.handle(60, {}, async (_: unknown, { signal }: CallContext) => {
        if (index === 1) return 'quick';
        await once(signal, 'abort');
        aborted.push(grid.local);
        return 'late';
      });
    });
    const results = grids[0]!.requestAll(60);
    for await (const one of results) {
      expect(one).toEqual({ peer: grids[1]!.local, status: 'fulfilled', value: 'quick' });
      break;
    }
    expect(outcomes(await results.all()).get(grids[2]!.local)).toBe('CANCELLED');
    await until(() => aborted.length === 1, 'the handler was told');
  });

  it('take the peers, a time and a signal', async () => {
    const grids = await mesh(3, (grid) => {
      grid.handle(60, {}, () => new Promise(() => {}));
      grid.handle(Echo.id + 10, {}, (text: string) => text);
    });
    const [a, b, c] = grids as [GridManager, GridManager, GridManager];
    expect(outcomes(await a.requestAll(60, undefined, { timeoutMs: 20 }).all())).toEqual(
      new Map([
        [b.local, 'DEADLINE_EXCEEDED'],
        [c.local, 'DEADLINE_EXCEEDED'],
      ]),
    );
    expect(outcomes(await a.requestAll(70, 'x', { peers: [c.local, a.local] }).all())).toEqual(
      new Map([
        [c.local, 'x'],
        [a.local, 'x'],
      ]),
    );
    const controller = new AbortController();
    const cancelled = a.requestAll(60, undefined, { signal: controller.signal });
    controller.abort();
    expect(new Set(outcomes(await cancelled.all()).values())).toEqual(new Set(['CANCELLED']));
    expect(thrownBy(() => a.requestAll(60, undefined, { peers: ['http://nobody'] })).code).toBe('INVALID_ARGUMENT');
    expect((await rejectionOf(a.broadcast('x', undefined, { peers: ['http://nobody'] }))).code).toBe(
      'INVALID_ARGUMENT',
    );
    const noList = { peers: 'http://nobody' as never };
    expect(thrownBy(() => a.requestAll(60, undefined, noList))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: "peers is 'http://nobody'; it must be a list of hosts",
      notSent: true,
    });
    const noSignal = { signal: new AbortController() as never };
    expect(thrownBy(() => a.requestAll(60, undefined, noSignal)).code).toBe('INVALID_ARGUMENT');
  });

  it('of a single host are no calls', async () => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid();
    void grid.start();
    expect(await grid.requestAll(60).all()).toEqual([]);
    expect(await collect(grid.requestAll(60))).toEqual([]);
    expect(await grid.broadcast('x')).toEqual([]);
  });
});

describe('registering handlers', () => {
  it('refuses IDs out of range and a second handler, naming them', async () => {
    hood = await Neighbourhood.build(1);
    const grid = hood.houses[0]!.grid();
    for (const id of [0, 254, 255, 1.5, -1])
      expect(thrownBy(() => grid.handle(id, {}, () => 0)).message).toContain(String(id));
    const remove = grid.handle(60, { owner: 'Disk.info' }, () => 1);
    expect(thrownBy(() => grid.handle(60, { owner: 'Disk.other' }, () => 2)).message).toMatch(
      /60.*Disk\.info and Disk\.other/,
    );
    void grid.start();
    expect(await grid.peer(grid.local).request(60)).toBe(1);
    remove();
    grid.handle(60, {}, () => 3);
    expect(await grid.peer(grid.local).request(60)).toBe(3);
  });
});
