import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { defineRequest, defineStream, GridContext, GridInput, GridRequest, GridStream } from 'nestjs-grid';
import { GridTestingModule } from 'nestjs-grid/testing';
import { lastValueFrom, of, range, Subject, toArray } from 'rxjs';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

const Add = defineRequest<readonly number[], number>({ id: 40, name: 'add' });
const Squares = defineStream<{ from: number }, number, number>({
  id: 41,
  name: 'squares',
  inCapacity: 4,
  outCapacity: 4,
});

const events: string[] = [];
const gate = { pulled: 0, returned: 0, subject: new Subject<number>(), unsubscribed: 0 };

@Controller()
class Handlers {
  @MessagePattern(1)
  value(): string {
    return 'v';
  }

  @MessagePattern(2)
  async promise(@Payload() x: number): Promise<number> {
    return x + 1;
  }

  @MessagePattern(3)
  one() {
    return of(7);
  }

  @MessagePattern(4)
  many(@Payload() count: number) {
    return range(0, count);
  }

  @MessagePattern(5)
  async *generator(@Payload() count: number): AsyncGenerator<number> {
    try {
      for (let i = 0; i < count; i++) {
        gate.pulled = i;
        yield i;
      }
    } finally {
      gate.returned++;
    }
  }

  @MessagePattern(6)
  readable() {
    return Readable.from(['a', 'b', 'c']);
  }

  @MessagePattern(7)
  nothing(): void {}

  @MessagePattern(8, { outBuffer: 4 })
  flood() {
    return range(0, 1_000);
  }

  @MessagePattern(9)
  async waits(@Ctx() context: GridContext): Promise<string> {
    return new Promise((resolve) => {
      context.signal.addEventListener('abort', () => {
        events.push(`aborted ${String(context.signal.reason)}`);
        resolve('late');
      });
      events.push('waiting');
    });
  }

  @MessagePattern({ id: 10, subroute: ['disk1', 'a'] })
  subroute(@Ctx() context: GridContext): unknown {
    return [context.handlerId, context.subroute, context.getPattern(), context.peer, context.getMetadata()];
  }

  @MessagePattern({ cmd: 'sum', v: 1 })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern('60')
  text(): string {
    return 'text';
  }

  @MessagePattern(60)
  number(): string {
    return 'number';
  }

  @GridRequest(Add)
  add(numbers: readonly number[]): number {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @GridStream(Squares)
  async *squares({ from }: { from: number }, @GridInput() input: AsyncIterable<number>): AsyncGenerator<number> {
    yield from;
    for await (const x of input) yield x * x;
  }

  @EventPattern('user.created')
  first(@Payload() name: string): void {
    events.push(`first ${name}`);
  }

  @EventPattern('user.created')
  async *second(@Payload() name: string): AsyncGenerator<void> {
    events.push(`second ${name}`);
    yield;
    events.push(`second ${name} to its end`);
  }

  @EventPattern(70)
  fails(): void {
    throw new Error('an event handler failed');
  }
}

let pair: GridPair;
beforeAll(async () => {
  pair = await gridPair({ metadata: { controllers: [Handlers] } });
});
afterAll(() => pair.close());

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const value of values) taken.push(value);
  return taken;
}

describe('what a handler may return, by the kind of the call', () => {
  test('request: exactly one value', async () => {
    expect(await pair.peer.request(1)).toBe('v');
    expect(await pair.peer.request(2, 1)).toBe(2);
    expect(await pair.peer.request(3)).toBe(7);
    expect(await pair.peer.request(5, 1)).toBe(0);
    expect(await pair.peer.request(7)).toBeUndefined();
    expect(await pair.peer.request(4, 0)).toBeUndefined();
  });

  test('request of a handler that gives a second value fails', async () => {
    await expect(pair.peer.request(4, 2)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: 'streams: call stream()',
      remote: true,
    });
  });

  test('stream: each value is a message', async () => {
    expect(await all(pair.peer.stream(1))).toEqual(['v']);
    expect(await all(pair.peer.stream(2, 1))).toEqual([2]);
    expect(await all(pair.peer.stream(4, 5))).toEqual([0, 1, 2, 3, 4]);
    expect(await all(pair.peer.stream(5, 200))).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(await all(pair.peer.stream(6))).toEqual(['a', 'b', 'c']);
  });

  test('ClientProxy.send: one value or many, whatever comes', async () => {
    const client = pair.caller.client(pair.peer.origin);
    expect(await lastValueFrom(client.send<string>(1).pipe(toArray()))).toEqual(['v']);
    expect(await lastValueFrom(client.send<number>(2, 1).pipe(toArray()))).toEqual([2]);
    expect(await lastValueFrom(client.send<number>(4, 100).pipe(toArray()))).toHaveLength(100);
    expect(await lastValueFrom(client.send<number>(5, 100).pipe(toArray()))).toHaveLength(100);
    expect(await lastValueFrom(client.send(7).pipe(toArray()))).toEqual([undefined]);
  });

  test('contracts, input and output', async () => {
    expect(await pair.peer.request(Add, [1, 2, 3])).toBe(6);
    const call = pair.peer.stream(Squares, { from: 0 }, { input: [1, 2, 3, 4, 5, 6, 7, 8, 9] });
    expect(await all(call)).toEqual([0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
  });

  test('patterns: an ID with a subroute, any Nest pattern, and a text that looks like an ID', async () => {
    const own = pair.caller.local;
    expect(await pair.peer.request({ id: 10, subroute: 'disk1/a' })).toEqual([10, 'disk1/a', '10/disk1/a', own, {}]);
    expect(await pair.peer.subroute('disk1').request({ id: 10, subroute: 'a' })).toHaveLength(5);
    expect(await pair.peer.request({ v: 1, cmd: 'sum' }, [1, 2])).toBe(3);
    expect(await pair.peer.request('60')).toBe('text');
    expect(await pair.peer.request(60)).toBe('number');
    await expect(pair.peer.request(61)).rejects.toMatchObject({ code: 'UNIMPLEMENTED', notSent: true });
    await expect(pair.peer.request(10)).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  });
});

describe('backpressure and cancel reach the handler', () => {
  test('an async generator is not pulled further than the credit', async () => {
    gate.pulled = -1;
    const call = pair.peer.stream<number>(5, 10_000, { outCapacity: 8 });
    const iterator = call[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: 0 });
    await until(() => gate.pulled >= 32, 'the credit is used up');
    await pair.peer.ping();
    // one credit came back for the value taken, and one value may stand ready
    expect(gate.pulled).toBeLessThanOrEqual(34);
    const { returned } = gate;
    await iterator.return?.();
    await until(() => gate.returned === returned + 1, 'the generator was returned');
  });

  test('an Observable that is faster than its consumer ends with a clear error', async () => {
    const call = pair.peer.stream<number>(8);
    await expect(all(call)).rejects.toMatchObject({ remote: true, message: expect.stringContaining('outBuffer (4)') });
  });

  test('a deadline ends a generator, whose finally runs', async () => {
    const { returned } = gate;
    const call = pair.peer.stream<number>(5, 10_000, { timeoutMs: 100 });
    const iterator = call[Symbol.asyncIterator]();
    await iterator.next();
    await until(() => gate.returned === returned + 1, 'the generator was returned');
    await expect(call.done).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  test('a lost connection ends a generator, whose finally runs', async () => {
    const cluster = await GridTestingModule.create({ nodes: 2, metadata: { controllers: [Handlers] } });
    const { returned } = gate;
    const call = cluster.peer(0, 1).stream<number>(5, 10_000);
    const iterator = call[Symbol.asyncIterator]();
    await iterator.next();
    cluster.wire(0, 1).cut();
    await until(() => gate.returned === returned + 1, 'the generator was returned');
    await expect(call.done).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    await cluster.close();
  });

  test('a cancelled request aborts the handler', async () => {
    events.length = 0;
    const controller = new AbortController();
    const call = pair.peer.request(9, undefined, { signal: controller.signal });
    await until(() => events.includes('waiting'), 'the handler waits');
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
    await until(() => events.some((event) => event.startsWith('aborted CANCELLED')), 'the handler was aborted');
  });
});

describe('events', () => {
  test('emit is done when the peer has the event; all handlers of it run, generators to their end', async () => {
    events.length = 0;
    await pair.peer.emit('user.created', 'ann');
    await until(() => events.length === 3, 'all have run');
    expect(events).toEqual(['first ann', 'second ann', 'second ann to its end']);
  });

  test('an event handler that fails is logged with the error that was thrown, and nobody is told', async () => {
    pair.log.errors.length = 0;
    await pair.peer.emit(70);
    await until(() => pair.log.errors.length > 0, 'it is logged');
    expect(pair.log.errors).toEqual([expect.stringMatching(/70: Error: an event handler failed\n.*at /s)]);
  });

  test('broadcast: an outcome per host', async () => {
    expect(await pair.caller.broadcast('user.created', 'bob')).toEqual([
      { peer: pair.peer.origin, status: 'fulfilled', value: undefined },
    ]);
    await until(() => events.includes('second bob to its end'), 'all have run');
  });
});
