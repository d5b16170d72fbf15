import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Inject } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { Grid, GridError, type GridEvent } from 'nestjs-grid';
import { WebSocket } from 'ws';
import { portOf } from '../ports.js';
import { until } from '../until.js';
import { gridPair, type GridPair } from './grid-pair.js';

/** Closed: handlers wait. */
class Gate {
  running = 0;
  private open: () => void = () => {};
  private readonly opened = new Promise<void>((resolve) => (this.open = resolve));

  async pass(): Promise<void> {
    this.running++;
    await this.opened;
    this.running--;
  }

  release(): void {
    this.open();
  }
}

let gate = new Gate();
const events: string[] = [];

@Controller()
class Work {
  constructor(@Inject(Grid) private readonly grid: Grid) {}

  @MessagePattern(60)
  async answer(@Payload() payload: number): Promise<number> {
    await gate.pass();
    return payload;
  }

  @MessagePattern(61)
  async *stream(@Payload() payload: number): AsyncGenerator<number> {
    yield payload;
    await gate.pass();
    for (let i = 1; i < 100; i++) yield payload + i;
  }

  @MessagePattern(62)
  async asksBack(@Payload() _: unknown): Promise<unknown> {
    await gate.pass();
    const [other] = this.grid.peers;
    return [await other!.request(63), await this.grid.peer(this.grid.local).request(63)];
  }

  @MessagePattern(63)
  at(): string {
    return this.grid.local;
  }

  @EventPattern('told')
  async told(@Payload() _: unknown): Promise<void> {
    await gate.pass();
    events.push('told to its end');
  }
}

const options = { metadata: { controllers: [Work] }, grid: { drainTimeoutMs: 10_000 } };
let pair: GridPair;
let draining: GridEvent[];
beforeEach(async () => {
  gate = new Gate();
  events.length = 0;
  pair = await gridPair(options, options);
  draining = [];
  for (const grid of [pair.grid, pair.caller]) {
    grid.events.subscribe((event) => event.type === 'draining' && draining.push(event));
  }
});
afterEach(async () => {
  gate.release();
  await pair.close();
});

describe('a host that shuts down', () => {
  test('loses none of 1,000 calls and 100 streams that are open', async () => {
    const calls = Array.from({ length: 1_000 }, (_, i) => pair.peer.request<number>(60, i));
    const streams = Array.from({ length: 100 }, async (_, i) => {
      const values: number[] = [];
      for await (const value of pair.peer.stream<number>(61, i)) values.push(value);
      return values;
    });
    await until(() => gate.running === 1_100, 'all of them run');
    const closing = pair.app.close();
    await until(() => draining.length === 2, 'the caller knows');
    expect(gate.running).toBe(1_100);
    gate.release();
    expect(await Promise.all(calls)).toEqual(Array.from(calls.keys()));
    for (const [i, values] of (await Promise.all(streams)).entries()) {
      expect(values).toEqual(Array.from({ length: 100 }, (_, j) => i + j));
    }
    await closing;
  });

  test('tells its peers why, and new calls fail with notSent: at the caller, without a message', async () => {
    const running = pair.peer.request(60, 1);
    await until(() => gate.running === 1, 'it runs');
    const closing = pair.app.close();
    await until(() => draining.length === 2, 'the caller knows');
    expect(draining).toEqual([
      { type: 'draining', peer: undefined, reason: 'this host is shutting down' },
      { type: 'draining', peer: pair.peer.origin, reason: 'this host is shutting down' },
    ]);
    const refused = { code: 'UNAVAILABLE', reason: 'draining', notSent: true, remote: false, peer: pair.peer.origin };
    await expect(pair.peer.request(63)).rejects.toMatchObject(refused);
    await expect(pair.peer.emit('told')).rejects.toMatchObject(refused);
    await expect(pair.peer.stream(61).done).rejects.toMatchObject(refused);
    expect(await pair.peer.ping()).toBeGreaterThanOrEqual(0);
    gate.release();
    expect(await running).toBe(1);
    await closing;
  });

  test('refuses the calls that cross the news, and does not hang up on them', async () => {
    const closing = pair.grid.close();
    const crossing = await Promise.allSettled(Array.from({ length: 100 }, () => pair.peer.request(63)));
    const refused = { code: 'UNAVAILABLE', reason: 'draining', notSent: true };
    for (const outcome of crossing) expect(outcome).toMatchObject({ status: 'rejected', reason: refused });
    await closing;
  });

  test('answers an upgrade with 503', async () => {
    const running = pair.peer.request(60, 1);
    await until(() => gate.running === 1, 'it runs');
    const closing = pair.app.close();
    await until(() => draining.length > 0, 'it drains');
    const late = new WebSocket(`ws://127.0.0.1:${portOf(pair.grid.local)}${pair.grid.route}`);
    const [, response] = (await once(late, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(503);
    // that it was never open
    late.on('error', () => undefined);
    late.terminate();
    gate.release();
    await running;
    await closing;
  });

  test('may still make the calls that its running handlers need', async () => {
    const asked = pair.peer.request(62);
    await until(() => gate.running === 1, 'it runs');
    const closing = pair.app.close();
    await until(() => draining.length === 2, 'the caller knows');
    gate.release();
    expect(await asked).toEqual([pair.caller.local, pair.grid.local]);
    await closing;
  });

  test('waits for the handlers of an event that it has answered', async () => {
    await pair.peer.emit('told');
    await until(() => gate.running === 1, 'it runs');
    const closing = pair.app.close();
    await until(() => draining.length > 0, 'it drains');
    expect(events).toEqual([]);
    gate.release();
    await closing;
    expect(events).toEqual(['told to its end']);
  });

  test('both at once: what runs is answered on both sides, and new calls are refused on both', async () => {
    const back = pair.grid.peer(pair.caller.local);
    await back.waitForConnect({ timeoutMs: 30_000 });
    const calls = [pair.peer.request(60, 1), back.request(60, 2)];
    await until(() => gate.running === 2, 'both run');
    const closing = pair.close();
    await until(() => draining.length === 4, 'each knows of the other');
    for (const peer of [pair.peer, back]) {
      await expect(peer.request(63)).rejects.toMatchObject({ reason: 'draining', notSent: true });
    }
    gate.release();
    expect(await Promise.all(calls)).toEqual([1, 2]);
    await closing;
  });

  test('closes at its time what does not end: the caller is told that it was cut', async () => {
    const impatient = await gridPair({ ...options, grid: { drainTimeoutMs: 50 } }, options);
    const failed = Promise.allSettled([impatient.peer.request(60, 1), impatient.peer.stream(61, 1).done]);
    await until(() => gate.running === 2, 'both run');
    await impatient.app.close();
    for (const outcome of await failed) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE', notSent: false } });
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(GridError);
    }
    await impatient.close();
  });
});
