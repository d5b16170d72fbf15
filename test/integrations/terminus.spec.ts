import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { GridHealthIndicator, type GridHealthOptions } from 'nestjs-grid/terminus';
import { GridTestingModule } from 'nestjs-grid/testing';
import { until } from '../until.js';

const [FIRST, SECOND, THIRD] = ['http://node-1:9000', 'http://node-2:9000', 'http://node-3:9000'] as const;

let hosts: GridTestingModule;
let health: GridHealthIndicator;

@Controller()
class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly grid: GridHealthIndicator,
  ) {}

  @Get('health')
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.checks.check([() => this.grid.isHealthy('grid', { peers: 'all', timeoutMs: 5_000 })]);
  }
}

beforeEach(async () => {
  const metadata = {
    imports: [TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController],
    providers: [GridHealthIndicator],
  };
  hosts = await GridTestingModule.create({ nodes: 3, metadata });
  health = hosts.nodes[0]!.app.get(GridHealthIndicator);
});

afterEach(() => hosts.close());

async function statusOf(options?: GridHealthOptions): Promise<string> {
  return (await health.isHealthy('grid', options)).grid.status;
}

/** Ends the host for good, and waits until the first one knows. */
async function end(index: number): Promise<void> {
  const { app, origin } = hosts.nodes[index]!;
  await app.close();
  const { grid } = hosts.nodes[0]!;
  await until(() => grid.peer(origin).state !== 'connected', `${origin} is gone`);
}

describe('GridHealthIndicator', () => {
  test('all, any, so many, and these', async () => {
    const demands = ['all', 'any', 0, 1, 2, [SECOND], [THIRD], [SECOND, THIRD], []] as const;
    const outcomes = (): Promise<string[]> => Promise.all(demands.map((peers) => statusOf({ peers })));
    expect(await outcomes()).toEqual(Array(demands.length).fill('up'));
    await end(2);
    expect(await outcomes()).toEqual(['down', 'up', 'up', 'up', 'down', 'up', 'down', 'down', 'up']);
    await end(1);
    expect(await outcomes()).toEqual(['down', 'down', 'up', 'down', 'down', 'down', 'down', 'down', 'up']);
    expect(await statusOf()).toBe('down');
  });

  test('tells the state of each peer, and what is missing', async () => {
    expect(await health.isHealthy('grid')).toEqual({
      grid: { status: 'up', peers: { [SECOND]: { state: 'connected' }, [THIRD]: { state: 'connected' } } },
    });
    await end(2);
    expect(await health.isHealthy('grid', { peers: 'all' })).toEqual({
      grid: {
        status: 'down',
        peers: { [SECOND]: { state: 'connected' }, [THIRD]: { state: 'disconnected' } },
        connected: 1,
        needed: 2,
      },
    });
  });

  test('asks for a sign of life: a peer that is connected and silent is down', async () => {
    expect(await health.isHealthy('grid', { peers: 'all', timeoutMs: 5_000 })).toMatchObject({
      grid: { status: 'up', peers: { [SECOND]: { pingMs: expect.any(Number) } } },
    });
    for (const other of [1, 2]) hosts.wire(other, 0).stall();
    const silent = { state: 'connected', error: 'no sign of life within 20 ms' };
    expect(await health.isHealthy('grid', { timeoutMs: 20 })).toEqual({
      grid: { status: 'down', peers: { [SECOND]: silent, [THIRD]: silent }, connected: 0, needed: 1 },
    });
    expect(await statusOf({ peers: 'all' })).toBe('up');
  });

  test('refuses what it cannot look at', async () => {
    for (const peers of [-1, 3, 1.5]) await expect(health.isHealthy('grid', { peers })).rejects.toThrow('from 0 to 2');
    await expect(health.isHealthy('grid', { peers: ['http://elsewhere:1'] })).rejects.toThrow('not one of the hosts');
    for (const timeoutMs of [NaN, -1, 0, '500' as never]) {
      await expect(health.isHealthy('grid', { timeoutMs })).rejects.toThrow('timeoutMs must be a number');
    }
    await expect(health.isHealthy('grid', { grid: 'other' })).rejects.toThrow('nestjs-grid:other');
    await expect(health.isHealthy('grid', { peers: [FIRST] })).resolves.toMatchObject({ grid: { status: 'up' } });
  });

  test('answers by HTTP as Terminus does: 200, and 503 when it is down', async () => {
    const server = hosts.nodes[0]!.app.getHttpServer() as Server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
    const ask = async (): Promise<unknown> => {
      const response = await fetch(url, { headers: { connection: 'close' } });
      return [response.status, ((await response.json()) as HealthCheckResult).status];
    };
    expect(await ask()).toEqual([200, 'ok']);
    await end(2);
    expect(await ask()).toEqual([503, 'error']);
  });
});
