import { describe, expect, test } from '@jest/globals';
import { Controller, Injectable, Module } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import {
  connectGrid,
  defineRequest,
  defineStream,
  getGridToken,
  Grid,
  GridError,
  GridModule,
  GridRequest,
  InjectGrid,
  InjectGridClient,
  type GridClient,
} from 'nestjs-grid';
import { fakeGrid } from 'nestjs-grid/testing';
import { lastValueFrom, toArray } from 'rxjs';
import { z } from 'zod';
import { until } from '../until.js';

const B = 'http://b:9000';
const C = 'http://c:9000';
const Info = defineRequest({
  id: 9,
  name: 'info',
  payload: z.object({ disk: z.string() }),
  result: z.object({ free: z.number() }),
});
const Sum = defineStream<string, number, number>({ id: 12, name: 'sum', inCapacity: 4 });

describe('fakeGrid', () => {
  test('handlers by ID and by pattern, with the context of the call; calls are recorded', async () => {
    const grid = fakeGrid({
      [B]: { 60: (payload, { peer, getMetadata }) => ({ payload, peer, typeOf: typeof getMetadata }), sum: () => 3 },
      [C]: {},
    });
    expect(await grid.peer(B).request(60, 'x')).toEqual({ payload: 'x', peer: grid.local, typeOf: 'function' });
    expect(await grid.peer(B).request('sum', [1, 2], { metadata: { tenant: 't' } })).toBe(3);
    await expect(grid.peer(C).request(60)).rejects.toMatchObject({ code: 'UNIMPLEMENTED', peer: C, notSent: true });
    expect(grid.calls).toMatchObject([
      { kind: 'request', peer: B, pattern: '60', payload: 'x' },
      { kind: 'request', peer: B, pattern: 'sum', payload: [1, 2], options: { metadata: { tenant: 't' } } },
      { kind: 'request', peer: C, pattern: '60' },
    ]);
    grid.answer(B, { id: 60, subroute: 'disk1' }, () => 'of disk1');
    expect(await grid.peer(B, 'disk1').request(60)).toBe('of disk1');
    expect(() => grid.peer('http://d:9000')).toThrow('not one of the hosts');
    expect(() => grid.answer('http://d:9000', 60, () => 1)).toThrow('not one of the hosts');
    await grid.close();
  });

  test('typed contracts, schemas included; a later answer replaces the one before', async () => {
    const grid = fakeGrid({ [B]: {} }).answer(B, Info, ({ disk }) => ({ free: disk.length }));
    // @ts-expect-error the contract says what the answer is
    expect(() => grid.answer(B, Info, () => 'much')).not.toThrow();
    grid.answer(B, Info, ({ disk }) => ({ free: disk.length }));
    expect(await grid.peer(B).request(Info, { disk: 'sda' })).toEqual({ free: 3 });
    const wrong = grid.peer(B).request(Info, { disk: 1 } as never);
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', remote: true });
    grid.answer(B, Info, () => {
      throw new GridError('NOT_FOUND', 'no such disk', { details: { disk: 'sda' } });
    });
    const gone = grid.peer(B).request(Info, { disk: 'sda' });
    await expect(gone).rejects.toMatchObject({ code: 'NOT_FOUND', remote: true, details: { disk: 'sda' } });
  });

  test('streams both ways, and a ClientProxy', async () => {
    const grid = fakeGrid({
      [B]: {
        ticks: async function* () {
          yield* [1, 2];
        },
      },
    });
    grid.answer(B, Sum, async function* (_, { input }) {
      let sum = 0;
      for await (const value of input as AsyncIterable<number>) yield (sum += value);
    });
    const sums: number[] = [];
    for await (const sum of grid.peer(B).stream(Sum, 'all', { input: [1, 2, 3] })) sums.push(sum);
    expect(sums).toEqual([1, 3, 6]);
    expect(await lastValueFrom(grid.client(B).send('ticks', {}).pipe(toArray()))).toEqual([1, 2]);
    expect(grid.calls.map(({ kind }) => kind)).toEqual(['stream', 'send']);
  });

  test('all hosts at once, and interceptors', async () => {
    const grid = fakeGrid({ [B]: { 60: (_, context) => context.getMetadata() }, [C]: { 61: () => {} } });
    grid.intercept((call, next) => next({ ...call, options: { ...call.options, metadata: { who: 'me' } } }));
    const answers = await grid.requestAll(60).all();
    expect(answers.find(({ peer }) => peer === B)).toEqual({ peer: B, status: 'fulfilled', value: { who: 'me' } });
    expect(answers.find(({ peer }) => peer === C)).toMatchObject({
      status: 'rejected',
      error: { code: 'UNIMPLEMENTED' },
    });
    expect((await grid.broadcast(61)).map(({ peer, status }) => [peer, status]).toSorted()).toEqual([
      [B, 'rejected'],
      [C, 'fulfilled'],
    ]);
  });

  test('a host that is away, and comes back', async () => {
    const grid = fakeGrid({ [B]: { 60: () => 1 } });
    const states: string[] = [];
    grid.peer(B).status.subscribe((state) => states.push(state));
    grid.disconnect(B);
    const failed = { code: 'UNAVAILABLE', reason: 'not-connected', notSent: true, peer: B };
    await expect(grid.peer(B).request(60)).rejects.toMatchObject(failed);
    await expect(grid.peer(B).waitForConnect()).rejects.toMatchObject(failed);
    expect(grid.stats().peers).toMatchObject([{ host: B, state: 'disconnected' }]);
    grid.reconnect(B);
    await grid.peer(B).waitForConnect();
    expect(await grid.peer(B).request(60)).toBe(1);
    const handlers = [{ handler: 60, calls: 2, errors: { UNAVAILABLE: 1 } }];
    expect(grid.stats().peers).toMatchObject([{ state: 'connected', handlers }]);
    await grid.close();
    expect(states).toEqual(['connected', 'disconnected', 'connected', 'closed']);
    await expect(grid.peer(B).request(60)).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'closed' });
  });
});

const told: unknown[] = [];

@Injectable()
class Inventory {
  constructor(
    @InjectGrid() readonly grid: Grid,
    @InjectGridClient('B') readonly client: GridClient,
  ) {}

  async free(): Promise<number> {
    return (await this.grid.peer(B).request(Info, { disk: 'sda' })).free;
  }
}

@Controller()
class Own {
  @GridRequest(Info)
  info(): { free: number } {
    return { free: 7 };
  }

  @EventPattern('told')
  told(payload: unknown): void {
    told.push(payload);
  }
}

@Module({
  imports: [
    // what would stop a real start: there is no secret here
    GridModule.forRoot({ local: undefined, hosts: [B], auth: undefined }),
    GridModule.forFeature([{ name: 'B', peer: B }]),
  ],
  controllers: [Own],
  providers: [Inventory],
})
class AppModule {}

describe('overrideProvider(Grid)', () => {
  test('providers get the fake, ClientProxies too', async () => {
    const grid = fakeGrid({ [B]: { 60: () => 'sixty' } }).answer(B, Info, () => ({ free: 5 }));
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(Grid)
      .useValue(grid)
      .compile();
    await module.init();
    expect(await module.get(Inventory).free()).toBe(5);
    expect(await lastValueFrom(module.get(Inventory).client.send(60, {}))).toBe('sixty');
    expect(module.get(getGridToken())).toBe(grid);
    await module.close();
  });

  test('an app that is connected reaches its own handlers by it', async () => {
    const grid = fakeGrid({ [B]: {} });
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(Grid)
      .useValue(grid)
      .compile();
    const app = module.createNestApplication();
    await connectGrid(app);
    await app.init();
    expect(await grid.peer(grid.local).request(Info, { disk: 'sda' })).toEqual({ free: 7 });
    await grid.peer(grid.local).emit('told', 'news');
    await until(() => told.length === 1, 'the event arrived');
    expect(grid.stats().self).toMatchObject({ outgoing: 0, running: 0 });
    await app.close();
  });

  test('each of two grids', async () => {
    const wrong = { local: undefined, hosts: [B], auth: undefined };
    const imports = [GridModule.forRoot(wrong), GridModule.forRoot({ ...wrong, name: 'locks' })];
    const [bulk, locks] = [
      fakeGrid({ [B]: { 60: () => 'bulk' } }),
      fakeGrid({ [B]: { 60: () => 'lock' } }, { name: 'locks' }),
    ];
    const module = await Test.createTestingModule({ imports })
      .overrideProvider(Grid)
      .useValue(bulk)
      .overrideProvider(getGridToken('locks'))
      .useValue(locks)
      .compile();
    const app = module.createNestApplication();
    await connectGrid(app, { grid: 'default' });
    await connectGrid(app, { grid: 'locks' });
    await app.init();
    expect(await module.get(Grid).peer(B).request(60)).toBe('bulk');
    expect(await module.get<Grid>(getGridToken('locks')).peer(B).request(60)).toBe('lock');
    await app.close();
  });
});
