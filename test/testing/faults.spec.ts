import { afterEach, describe, expect, test } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { GridEvent } from 'nestjs-grid';
import { GridTestingModule, ManualClock, type GridTestingOptions } from 'nestjs-grid/testing';
import { until } from '../until.js';

const ran: unknown[] = [];

@Controller()
class Echo {
  @MessagePattern(60)
  echo(@Payload() payload: unknown): unknown {
    ran.push(payload);
    return payload;
  }

  @MessagePattern(61)
  async *count(@Payload() upTo: number): AsyncGenerator<number> {
    for (let i = 0; i < upTo; i++) yield i;
  }
}

let cluster: GridTestingModule;
const downs: GridEvent[] = [];

async function start(options: GridTestingOptions = {}): Promise<void> {
  ran.length = 0;
  downs.length = 0;
  const grid = { drainTimeoutMs: 100, ...options.grid };
  cluster = await GridTestingModule.create({ metadata: { controllers: [Echo] }, ...options, grid });
  cluster.nodes[0]!.grid.events.subscribe((event) => event.type === 'down' && downs.push(event));
}
afterEach(() => cluster.close());

describe.each(['memory', 'loopback'] as const)('over %s', (wire) => {
  test('a cut at once: calls under way end, and the connection comes back', async () => {
    await start({ wire });
    cluster.wire(1, 0).stall();
    const call = cluster.peer(0, 1).request(60, 'x');
    cluster.wire(0, 1).cut();
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', reason: 'disconnected' });
    cluster.wire(1, 0).heal();
    await cluster.connected();
    expect(await cluster.peer(0, 1).request(60, 'again')).toBe('again');
    cluster.assertIdle();
  });

  test('a cut at a message: what is before it arrives, what is at it never does', async () => {
    await start({ wire });
    const there = cluster.wire(0, 1);
    there.cut({ afterMessages: 2 });
    expect(await cluster.peer(0, 1).request(60, 'a')).toBe('a');
    expect(await cluster.peer(0, 1).request(60, 'b')).toBe('b');
    expect(there.armed).toBe(1);
    await expect(cluster.peer(0, 1).request(60, 'c')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(there.armed).toBe(0);
    expect(ran).toEqual(['a', 'b']);
    await cluster.connected();
    expect(await cluster.peer(0, 1).request(60, 'd')).toBe('d');
  });

  test('a cut at a byte of the answer: the handler ran, the caller cannot know', async () => {
    await start({ wire });
    const back = cluster.wire(1, 0);
    const before = back.bytes;
    await cluster.peer(0, 1).request(60, 'x'.repeat(1_000));
    const size = back.bytes - before;
    expect(size).toBeGreaterThan(1_000);
    back.cut({ afterBytes: size + 1 });
    ran.length = 0;
    expect(await cluster.peer(0, 1).request(60, 'y'.repeat(1_000))).toHaveLength(1_000);
    const lost = cluster.peer(0, 1).request(60, 'z'.repeat(1_000));
    await expect(lost).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: false });
    expect(ran).toHaveLength(2);
  });

  test('a stall: nothing arrives until it is healed, in either direction', async () => {
    await start({ wire });
    for (const [from, to] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const stalled = cluster.wire(from, to);
      stalled.stall();
      const call = cluster.peer(0, 1).request(60, from);
      await until(() => stalled.held > 0, 'it is held');
      expect(() => cluster.assertIdle()).toThrow(/1 frames held/);
      stalled.heal();
      expect(await call).toBe(from);
    }
    cluster.assertIdle();
    expect(downs).toEqual([]);
  });

  test('a stall at a message of a stream: what is before it arrives', async () => {
    await start({ wire });
    const back = cluster.wire(1, 0);
    // the acknowledgement and three values
    back.stall({ afterMessages: 4 });
    const got: number[] = [];
    const call = cluster.peer(0, 1).stream<number>(61, 20, { outCapacity: 1 });
    const read = (async () => {
      for await (const value of call) got.push(value);
    })();
    await until(() => back.held > 0, 'it is held');
    expect(got.length).toBeLessThanOrEqual(3);
    back.heal();
    await read;
    expect(got).toHaveLength(20);
  });

  test('a flipped bit ends the connection; no handler sees it', async () => {
    await start({ wire });
    cluster.wire(0, 1).corrupt();
    await expect(cluster.peer(0, 1).request(60, 'x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(ran).toEqual([]);
    await cluster.connected();
    cluster.wire(1, 0).corrupt({ afterMessages: 0 });
    const cause = { code: 'DATA_LOSS', message: 'CRC mismatch' };
    await expect(cluster.peer(0, 1).request(60, 'x')).rejects.toMatchObject({ reason: 'disconnected', cause });
    await cluster.connected();
    cluster.wire(1, 0).corrupt({ afterBytes: 0 });
    const noMessage = { code: 'INVALID_ARGUMENT', reason: 'protocol' };
    await expect(cluster.peer(0, 1).request(60, 'x')).rejects.toMatchObject({ cause: noMessage });
    await cluster.connected();
    expect(await cluster.peer(0, 1).request(60, 'whole')).toBe('whole');
  });

  test('a delay is on the clock of the grid, and keeps the order', async () => {
    const clock = new ManualClock();
    await start({ wire, grid: { clock } });
    const there = cluster.wire(0, 1);
    there.delay(300);
    const answers: unknown[] = [];
    const calls = ['a', 'b'].map(async (text) => answers.push(await cluster.peer(0, 1).request(60, text)));
    await until(() => there.held > 0, 'they are held');
    there.delay(0);
    const last = cluster
      .peer(0, 1)
      .request(60, 'c')
      .then((text) => answers.push(text));
    clock.advance(299);
    expect(ran).toEqual([]);
    clock.advance(1);
    await Promise.all([...calls, last]);
    expect(answers).toEqual(['a', 'b', 'c']);
  });

  test('a delay from a message on', async () => {
    const clock = new ManualClock();
    await start({ wire, grid: { clock } });
    const there = cluster.wire(0, 1);
    there.delay(300, { afterMessages: 1 });
    expect(await cluster.peer(0, 1).request(60, 'a')).toBe('a');
    const late = cluster.peer(0, 1).request(60, 'b');
    await until(() => there.held > 0, 'it is held');
    clock.advance(300);
    expect(await late).toBe('b');
  });

  test('a host that hears nothing ends the connection by itself', async () => {
    const clock = new ManualClock();
    await start({ wire, grid: { clock, intervals: { pingMs: 1_000 } } });
    cluster.wire(0, 1).stall();
    cluster.wire(1, 0).stall();
    await until(() => {
      clock.advance(500);
      return cluster.nodes.every(({ grid }) => grid.peers[0]!.state === 'disconnected');
    }, 'both gave up');
  });
});

test('a fault that is taken back does not strike', async () => {
  await start();
  const there = cluster.wire(0, 1);
  there.cut({ afterBytes: 0 });
  there.corrupt();
  there.stall({ afterMessages: 0 });
  expect(there.armed).toBe(3);
  there.heal();
  expect(await cluster.peer(0, 1).request(60, 'x')).toBe('x');
  expect(there.messages).toBeGreaterThan(0);
  expect(downs).toEqual([]);
});
