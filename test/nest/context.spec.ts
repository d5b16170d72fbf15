import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Controller, Inject, Injectable, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Grid, GridContext, GridInput, GridStream } from 'nestjs-grid';
import { finalize, firstValueFrom, lastValueFrom, NEVER, Subject, toArray, type Observable } from 'rxjs';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

const seen: string[] = [];
const gate = new Subject<void>();

@Injectable()
class Admin implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getContext<GridContext>().getMetadata().user === 'admin';
  }
}

@Controller()
class Handlers {
  constructor(@Inject(Grid) private readonly grid: Grid) {}

  @MessagePattern(1)
  metadata(@Payload() key: string, @Ctx() context: GridContext): string | undefined {
    context.setResponseMetadata('answered-by', this.grid.local);
    return context.getMetadata()[key];
  }

  @MessagePattern(2)
  async *manyWithMetadata(@Payload() key: string, @Ctx() context: GridContext): AsyncGenerator {
    yield context.getMetadata()[key];
    context.setResponseMetadata('answered-by', this.grid.local);
  }

  @MessagePattern(3)
  deadline(@Payload() _: unknown, @Ctx() context: GridContext): number | undefined {
    return context.deadline && context.deadline.getTime() - Date.now();
  }

  @MessagePattern(4)
  observable(@Payload() _: unknown, @Ctx() context: GridContext): Observable<never> {
    context.signal.addEventListener('abort', () => seen.push(`signal ${String(context.signal.reason)}`));
    seen.push('runs');
    return NEVER.pipe(finalize(() => seen.push('unsubscribed')));
  }

  @GridStream(5, { inCapacity: 4 })
  async *reads(@Payload() _: unknown, @GridInput() input: AsyncIterable<string>): AsyncGenerator<string> {
    try {
      seen.push('runs');
      for await (const message of input) yield message;
      seen.push('a clean end');
    } catch (error) {
      seen.push(`cut: ${String(error)}`);
      throw error;
    }
  }

  @MessagePattern(6)
  async parent(@Payload() _: unknown, @Ctx() context: GridContext): Promise<unknown> {
    const [caller] = this.grid.peers;
    const left = await caller!.request<number>(3, undefined, { parent: context });
    seen.push('runs');
    return caller!.request(7, left, { parent: context });
  }

  @MessagePattern(7)
  hangs(@Payload() _: unknown, @Ctx() context: GridContext): Promise<void> {
    return new Promise((resolve) =>
      context.signal.addEventListener('abort', () => {
        seen.push(`the inner call: ${String(context.signal.reason)}`);
        resolve();
      }),
    );
  }

  @MessagePattern(8, { concurrency: 1, queue: 1 })
  async oneAtATime(@Payload() name: string): Promise<string> {
    seen.push(name);
    await firstValueFrom(gate);
    return name;
  }

  @MessagePattern(9)
  @UseGuards(Admin)
  guarded(@Payload() payload: { list: number[] }): unknown {
    payload.list.push(1);
    return payload;
  }

  @EventPattern('noted')
  noted(@Payload() text: string): void {
    seen.push(`noted ${text}`);
  }

  @MessagePattern(10)
  asked(): void {
    seen.push('asked');
  }

  @MessagePattern(11)
  logged(@Payload() _: unknown, @Ctx() context: GridContext): string {
    return JSON.stringify([context]);
  }

  @EventPattern('told')
  @UseGuards(Admin)
  told(@Payload() text: string): void {
    seen.push(`told ${text}`);
  }
}

let pair: GridPair;
beforeAll(async () => {
  const metadata = { controllers: [Handlers] };
  pair = await gridPair({ metadata }, { metadata });
  await pair.grid.peer(pair.caller.local).waitForConnect({ timeoutMs: 30_000 });
});
afterAll(() => pair.close());

describe('metadata', () => {
  test('goes with a request and comes with its answer, of streams with their end', async () => {
    const got: Record<string, string>[] = [];
    const options = { metadata: { user: 'ann' }, onMetadata: (metadata: Record<string, string>) => got.push(metadata) };
    expect(await pair.peer.request(1, 'user', options)).toBe('ann');
    for await (const value of pair.peer.stream(2, 'user', options)) expect(value).toBe('ann');
    await until(() => got.length === 2, 'both have come');
    expect(got).toEqual([{ 'answered-by': pair.grid.local }, { 'answered-by': pair.grid.local }]);
  });
});

test('a context can be written to a log as JSON, without what the caller sent along', async () => {
  const options = { deadline: new Date(Date.now() + 30_000), metadata: { token: 'hunter2' } };
  const deadline = expect.stringMatching(/^\d{4}-.*Z$/);
  const peer = pair.grid.peer(pair.caller.local).origin;
  const text = await pair.peer.request<string>(11, undefined, options);
  expect(JSON.parse(text)).toEqual([{ peer, handlerId: 11, pattern: '11', deadline }]);
});

describe('deadline and signal', () => {
  test('the deadline is the caller’s, 60 s without one', async () => {
    expect(await pair.peer.request(3, undefined, { timeoutMs: 30_000 })).toBeLessThanOrEqual(30_000);
    const deadline = new Date(Date.now() + 20_000);
    expect(await pair.peer.request(3, undefined, { deadline })).toBeLessThanOrEqual(20_000);
    expect(await pair.peer.request(3)).toBeGreaterThan(50_000);
    expect(await lastValueFrom(pair.peer.stream(3).toObservable().pipe(toArray()))).toEqual([]);
  });

  test('past it the signal aborts and the Observable is unsubscribed', async () => {
    seen.length = 0;
    const late = pair.peer.request(4, undefined, { timeoutMs: 20 });
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await until(() => seen.includes('unsubscribed'), 'it was left');
    expect(seen).toEqual(['runs', expect.stringMatching(/^signal (DEADLINE_EXCEEDED|CANCELLED)/), 'unsubscribed']);
  });

  test('input that was cut throws, it never looks like its end', async () => {
    seen.length = 0;
    const call = pair.peer.stream<string, string>(5, undefined, { inCapacity: 4 });
    await call.write('one');
    expect(await call[Symbol.asyncIterator]().next()).toEqual({ done: false, value: 'one' });
    call.cancel();
    await until(() => seen.length > 1, 'it was cut');
    expect(seen).toEqual(['runs', expect.stringMatching(/^cut: .*CANCELLED/)]);
  });

  test('a call with `parent` has its deadline, and ends with it', async () => {
    seen.length = 0;
    const controller = new AbortController();
    const call = pair.peer.request(6, undefined, { timeoutMs: 5_000, signal: controller.signal });
    const failed = expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
    await until(() => seen.includes('runs'), 'it runs');
    controller.abort();
    await failed;
    await until(() => seen.some((line) => line.startsWith('the inner call: CANCELLED')), 'the inner call was told');
  });
});

test('concurrency and queue of a handler: what is beyond is refused, and did not run', async () => {
  seen.length = 0;
  const first = pair.peer.request(8, 'first');
  await until(() => seen.length === 1, 'the first runs');
  const second = pair.peer.request(8, 'second');
  await expect(pair.peer.request(8, 'third')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', notSent: true });
  expect(seen).toEqual(['first']);
  gate.next();
  expect(await first).toBe('first');
  await until(() => seen.length === 2, 'the second runs');
  gate.next();
  expect(await second).toBe('second');
  expect(seen).toEqual(['first', 'second']);
});

describe('calls to the local host', () => {
  test('pass guards and codec: what the handler changes is not the caller’s', async () => {
    const self = pair.grid.peer(pair.grid.local);
    const payload = { list: [0] };
    await expect(self.request(9, payload)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await self.request(9, payload, { metadata: { user: 'admin' } })).toEqual({ list: [0, 1] });
    expect(payload).toEqual({ list: [0] });
  });

  test('events too', async () => {
    seen.length = 0;
    await pair.grid.peer(pair.grid.local).emit('told', 'itself', { metadata: { user: 'admin' } });
    await until(() => seen.includes('told itself'), 'it was told');
  });
});

describe('events', () => {
  test('guards run after the answer: emit() is done, the handler does not run, the log tells', async () => {
    seen.length = 0;
    pair.log.errors.length = 0;
    await pair.peer.emit('told', 'nobody');
    await until(() => pair.log.errors.length > 0, 'it is logged');
    expect(pair.log.errors).toEqual([expect.stringMatching(/event told: .*Forbidden resource/)]);
    expect(seen).toEqual([]);
  });

  test('begin in their turn: what is asked behind them finds them begun', async () => {
    seen.length = 0;
    const events = ['a', 'b'].map((text) => pair.peer.emit('noted', text));
    await Promise.all([...events, pair.peer.request(10)]);
    expect(seen).toEqual(['noted a', 'noted b', 'asked']);
  });

  test('request() of an event gives undefined', async () => {
    expect(await pair.peer.request('told', 'x', { metadata: { user: 'admin' } })).toBeUndefined();
  });
});

test('a peer that is down: emit() fails at once with notSent, broadcast and requestAll tell it apart', async () => {
  const alone = await gridPair({ metadata: { controllers: [Handlers] } }, { metadata: { controllers: [Handlers] } });
  try {
    await alone.app.close();
    await until(() => alone.peer.state !== 'connected', 'the caller knows');
    const down = { code: 'UNAVAILABLE', reason: 'not-connected', notSent: true, peer: alone.peer.origin };
    await expect(alone.peer.emit('told', 'x')).rejects.toMatchObject(down);
    const rejected = { peer: alone.peer.origin, status: 'rejected', error: expect.objectContaining(down) };
    expect(await alone.caller.broadcast('told', 'x')).toEqual([rejected]);
    const peers = [alone.peer.origin, alone.caller.local];
    const all = await alone.caller.requestAll<number>(1, 'user', { peers, metadata: { user: 'ann' } }).all();
    expect(all).toHaveLength(2);
    expect(all).toEqual(
      expect.arrayContaining([rejected, { peer: alone.caller.local, status: 'fulfilled', value: 'ann' }]),
    );
  } finally {
    await alone.close();
  }
});
