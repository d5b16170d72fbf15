import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Module } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { GridError, GridModule } from 'nestjs-grid';
import { collectGridMetrics, GridMetricsModule } from 'nestjs-grid/prometheus';
import { GridTestingModule } from 'nestjs-grid/testing';
import { Counter, Gauge, register, Registry } from 'prom-client';
import { plain, tableOf } from '../project/markdown.js';
import { until } from '../until.js';

@Controller()
class Handlers {
  @MessagePattern(60)
  echo(payload: unknown): unknown {
    return payload;
  }

  @MessagePattern(61)
  refuse(): never {
    throw new GridError('NOT_FOUND', 'no');
  }

  @MessagePattern(62)
  never(): Promise<never> {
    return new Promise(() => {});
  }

  @EventPattern(63)
  event(): void {}
}

let hosts: GridTestingModule;
let registry: Registry;

beforeEach(async () => {
  registry = new Registry();
  const metadata = (index: number): object => ({
    controllers: [Handlers],
    imports: index === 0 ? [GridMetricsModule.forRoot({ registry })] : [],
  });
  hosts = await GridTestingModule.create({ nodes: 2, metadata, grid: { drainTimeoutMs: 100 } });
});

afterEach(() => hosts.close());

/** The samples of one scrape by name and labels, as Prometheus would read them. */
async function scrape(from = registry): Promise<Map<string, number>> {
  const lines = (await from.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

function only(samples: Map<string, number>, name: string): [string, number][] {
  return [...samples].filter(([key]) => key.startsWith(`${name}{`));
}

const PEER = 'grid="default",peer="http://node-2:9000"';
const outgoing = (handler: number, kind = 'request'): string =>
  `grid="default",handler="${handler}",pattern="",direction="outgoing",kind="${kind}"`;

describe('what Prometheus sees of a grid', () => {
  test('each peer: state, open calls, queue, bytes, reconnects, ping', async () => {
    const [{ grid }] = hosts.nodes as [GridTestingModule['nodes'][number]];
    const peer = grid.peer('http://node-2:9000');
    const open = expect(peer.request(62)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await peer.ping();
    const samples = await scrape();
    expect(Object.fromEntries(only(samples, 'grid_peer_state'))).toEqual({
      [`grid_peer_state{${PEER},state="connecting"}`]: 0,
      [`grid_peer_state{${PEER},state="connected"}`]: 1,
      [`grid_peer_state{${PEER},state="disconnected"}`]: 0,
      [`grid_peer_state{${PEER},state="closed"}`]: 0,
    });
    const [status] = grid.stats().peers;
    expect(samples.get(`grid_peer_open_calls{${PEER},direction="outgoing"}`)).toBe(1);
    expect(samples.get(`grid_peer_open_calls{${PEER},direction="incoming"}`)).toBe(0);
    expect(samples.get(`grid_peer_running_handlers{${PEER}}`)).toBe(0);
    expect(samples.get(`grid_peer_queued_messages{${PEER}}`)).toBe(0);
    expect(samples.get(`grid_peer_queued_bytes{${PEER}}`)).toBe(0);
    expect(samples.get(`grid_peer_reconnects_total{${PEER}}`)).toBe(0);
    expect(samples.get(`grid_peer_bytes_total{${PEER},way="out"}`)).toBe(status!.bytesOut);
    expect(samples.get(`grid_peer_frames_total{${PEER},way="in"}`)).toBe(status!.framesIn);
    expect(samples.get(`grid_peer_ping_seconds{${PEER}}`)).toBe(status!.lastPingMs! / 1_000);
    hosts.wire(0, 1).cut();
    await open;
    await until(() => grid.stats().peers[0]!.state !== 'connected', 'the connection is counted as lost');
    expect((await scrape()).get(`grid_peer_state{${PEER},state="disconnected"}`)).toBe(1);
    await hosts.connected();
    expect((await scrape()).get(`grid_peer_reconnects_total{${PEER}}`)).toBe(1);
  });

  test('each handler: calls, errors by code, durations; the same at each scrape', async () => {
    const [{ grid }] = hosts.nodes as [GridTestingModule['nodes'][number]];
    const peer = grid.peer('http://node-2:9000');
    for (let i = 0; i < 3; i++) await peer.request(60, i);
    await expect(peer.request(61)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await peer.emit(63);
    // the call of the host to itself is one more, from both ends
    await grid.peer(grid.local).request(60, 1);
    const first = await scrape();
    expect(first.get(`grid_calls_total{${outgoing(60)}}`)).toBe(4);
    expect(first.get(`grid_calls_total{${outgoing(60).replace('outgoing', 'incoming')}}`)).toBe(1);
    expect(first.get(`grid_calls_total{${outgoing(63)}}`)).toBe(1);
    expect(only(first, 'grid_call_errors_total')).toEqual([
      [`grid_call_errors_total{${outgoing(61)},code="NOT_FOUND"}`, 1],
    ]);
    expect(first.get(`grid_call_duration_seconds_count{${outgoing(60)}}`)).toBe(4);
    expect(first.get(`grid_call_duration_seconds_sum{${outgoing(60)}}`)).toBeGreaterThan(0);
    const buckets = only(first, 'grid_call_duration_seconds_bucket').filter(([key]) => key.includes(outgoing(60)));
    const counts = buckets.map(([, count]) => count);
    expect(counts.toSorted((a, b) => a - b)).toEqual(counts);
    expect(buckets.at(-1)).toEqual([expect.stringContaining('le="+Inf"'), 4]);
    expect(buckets.map(([key]) => /le="([^"]+)"/.exec(key)![1])).toEqual(
      expect.arrayContaining(['0.0001', '0.001', '0.01', '0.1', '1', '10', '100']),
    );
    expect(first.get(`grid_open_calls{${outgoing(60)}}`)).toBe(0);
    const sent = grid.stats().peers[0]!.handlers.find(({ handler }) => handler === 60)!.bytesOut;
    expect(first.get(`grid_call_payload_bytes_total{${outgoing(60)},way="out"}`)).toBe(sent + 1);
    for (const name of ['grid_stream_credits', 'grid_starved_streams', 'grid_stream_unread_messages']) {
      expect(first.get(`${name}{${outgoing(60)}}`)).toBe(0);
    }
    const second = await scrape();
    for (const name of ['grid_calls_total', 'grid_call_errors_total', 'grid_call_duration_seconds_count']) {
      expect(only(second, name)).toEqual(only(first, name));
    }
    registry.resetMetrics();
    expect(only(await scrape(), 'grid_calls_total')).toEqual(only(first, 'grid_calls_total'));
  });

  test('are what the documents list', async () => {
    await hosts.peer(0, 1).request(60, 1);
    const rows = tableOf('docs/OBSERVABILITY.md', '| metric | type | labels beside `grid` |');
    const found = await registry.getMetricsAsJSON();
    expect(rows.map(([name]) => plain(name!))).toEqual(found.map(({ name }) => name));
    const typed = (await registry.metrics()).matchAll(/^# TYPE (\w+) (\w+)$/gm);
    expect(rows.map(([name, type]) => `${plain(name!)} ${type}`)).toEqual(
      [...typed].map(([, name, type]) => `${name} ${type}`),
    );
    for (const [name, , labels] of rows) {
      const shown = [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label);
      const { values = [] } = found.find((metric) => metric.name === plain(name!)) as { values?: { labels: object }[] };
      for (const value of values) {
        expect(Object.keys(value.labels).filter((label) => label !== 'grid' && label !== 'le')).toEqual(shown);
      }
    }
  });

  test('several grids in one registry, each under its name; a host of one only once', async () => {
    const [first, second] = hosts.nodes.map(({ grid }) => grid);
    expect(() => collectGridMetrics(first!, { registry })).toThrow("a grid 'default' already");
    expect(() => collectGridMetrics(first!, { registry })).toThrow(GridError);
    expect(only(await scrape(), 'grid_peer_reconnects_total')).toHaveLength(1);
    const remove = collectGridMetrics(second!, { registry, prefix: 'other_' });
    expect(only(await scrape(), 'other_peer_reconnects_total')).toHaveLength(1);
    remove();
    remove();
    expect(only(await scrape(), 'other_peer_reconnects_total')).toHaveLength(0);
    expect(only(await scrape(), 'grid_peer_reconnects_total')).toHaveLength(1);
  });

  test('nothing is left when the grid is closed; what is not ours stays', async () => {
    const own = new Counter({ name: 'own_total', help: 'own', registers: [registry] });
    own.inc();
    await hosts.close();
    expect([...(await scrape())]).toEqual([['own_total', 1]]);
  });

  test('of two hosts of one grid: each sample says of which, as long as there are two', async () => {
    const [first, second] = hosts.nodes.map(({ grid }) => grid);
    await hosts.peer(0, 1).request(60, 1);
    const alone = await scrape();
    const remove = collectGridMetrics(second!, { registry });
    const both = await scrape();
    const of = (handler: string, local: string): string => handler.replace(',', `,local="${local}",`);
    const incoming = outgoing(60).replace('outgoing', 'incoming');
    for (const name of ['grid_calls_total', 'grid_call_duration_seconds_count']) {
      expect(Object.fromEntries(only(both, name))).toEqual({
        [`${name}{${of(outgoing(60), first!.local)}}`]: 1,
        [`${name}{${of(incoming, second!.local)}}`]: 1,
      });
    }
    expect(only(both, 'grid_peer_reconnects_total').map(([key]) => key)).toEqual([
      `grid_peer_reconnects_total{grid="default",local="${first!.local}",peer="${second!.local}"}`,
      `grid_peer_reconnects_total{grid="default",local="${second!.local}",peer="${first!.local}"}`,
    ]);
    remove();
    expect([...(await scrape()).keys()]).toEqual([...alone.keys()]);
  });

  test('of the hosts of a test, all made of one module that names no registry', async () => {
    const ofProduction = GridModule.forRootAsync({
      useFactory: () => {
        throw new Error('is not asked');
      },
    });
    @Module({ imports: [ofProduction, GridMetricsModule.forRoot()], controllers: [Handlers] })
    class AppModule {}
    const cluster = await GridTestingModule.create({
      nodes: 3,
      app: () => Test.createTestingModule({ imports: [AppModule] }),
    });
    await cluster.peer(0, 2).request(60);
    const calls = [...(await scrape(register as Registry))].filter(([name]) => name.startsWith('grid_calls_total{'));
    expect(calls).toEqual([
      [expect.stringContaining('local="http://node-1:9000",handler="60",pattern="",direction="outgoing"'), 1],
      [expect.stringContaining('local="http://node-3:9000",handler="60",pattern="",direction="incoming"'), 1],
    ]);
    await cluster.close();
    expect(await register.metrics()).toBe('\n');
  });

  test('of a registry that was cleared: nothing, until a grid is registered anew', async () => {
    const [first, second] = hosts.nodes.map(({ grid }) => grid);
    registry.clear();
    expect(await scrape()).toEqual(new Map());
    const removeSecond = collectGridMetrics(second!, { registry });
    expect(only(await scrape(), 'grid_peer_reconnects_total')).toHaveLength(1);
    const removeFirst = collectGridMetrics(first!, { registry });
    expect(only(await scrape(), 'grid_peer_reconnects_total')).toHaveLength(2);
    removeFirst();
    removeSecond();
    expect(await scrape()).toEqual(new Map());
    const remove = collectGridMetrics(second!, { registry });
    // the registration before the clear ends with its grid, and takes nothing of the others along
    await hosts.nodes[0]!.app.close();
    expect(only(await scrape(), 'grid_peer_reconnects_total')).toHaveLength(1);
    remove();
  });

  test('of a registry that has a metric of such a name: nothing, until that is gone', async () => {
    const taken = new Registry();
    const other = new Gauge({ name: 'grid_call_duration_seconds', help: 'of the app', registers: [taken] });
    const { grid } = hosts.nodes[1]!;
    expect(() => collectGridMetrics(grid, { registry: taken })).toThrow('grid_call_duration_seconds');
    expect(taken.getMetricsAsArray()).toEqual([other]);
    taken.removeSingleMetric('grid_call_duration_seconds');
    const remove = collectGridMetrics(grid, { registry: taken });
    expect(only(await scrape(taken), 'grid_peer_reconnects_total')).toHaveLength(1);
    remove();
  });

  test('the global registry where none is given', async () => {
    const remove = collectGridMetrics(hosts.nodes[1]!.grid);
    expect(only(await scrape(register as Registry), 'grid_peer_reconnects_total')).toHaveLength(1);
    remove();
    expect(await register.metrics()).toBe('\n');
  });

  test('of a grid that is closed already: nothing', async () => {
    const [{ grid }] = hosts.nodes as [GridTestingModule['nodes'][number]];
    await hosts.close();
    const late = new Registry();
    const remove = collectGridMetrics(grid, { registry: late });
    expect(late.getMetricsAsArray()).toEqual([]);
    remove();
  });
});
