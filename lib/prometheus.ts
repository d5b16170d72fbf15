import { Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Counter, Gauge, register, type Histogram, type Registry } from 'prom-client';
import { Subscription } from 'rxjs';
import { GridError } from './errors/index.js';
import type { GridManager, GridStats, HandlerStats, PeerState, PeerStatus } from './manager/index.js';
import { getGridToken } from './nest/index.js';
import { ownToken } from './nest/own-token.js';

/** Options of `collectGridMetrics()` and `GridMetricsModule`. */
export interface GridMetricsOptions {
  /** Where the metrics are registered. Default: prom-client's global registry. */
  readonly registry?: Registry;
  /** The first part of each metric's name. Default `grid_`. */
  readonly prefix?: string;
}

/**
 * Gives the counts of a grid to Prometheus: `grid.stats()`, asked at each scrape, so that nothing is counted twice and
 * nothing costs anything in between. Several grids of one process may share a registry: the label `grid` tells them
 * apart, and where they are hosts of one grid, as in a test, the label `local` does. They are removed when the grid is
 * closed, or by the returned function.
 * @throws GridError ALREADY_EXISTS for a second grid of one name and host in a registry; prom-client's error where the
 * registry has another metric of such a name, and nothing is registered then.
 */
export function collectGridMetrics(grid: GridManager, options: GridMetricsOptions = {}): () => void {
  const { registry = register, prefix = 'grid_' } = options;
  const byPrefix = REGISTERED.get(registry) ?? new Map<string, GridMetrics>();
  REGISTERED.set(registry, byPrefix);
  const known = byPrefix.get(prefix);
  const metrics = known?.registered ? known : new GridMetrics(registry, prefix);
  metrics.add(grid);
  byPrefix.set(prefix, metrics);
  // made before: a grid that is closed already says so at once
  const closed = new Subscription();
  const remove = (): void => {
    closed.unsubscribe();
    if (metrics.remove(grid) && byPrefix.get(prefix) === metrics) byPrefix.delete(prefix);
  };
  closed.add(grid.events.subscribe({ complete: remove }));
  return remove;
}

/** The same for a Nest app: import it beside `GridModule.forRoot(…)`. */
@Module({})
export class GridMetricsModule {
  /** `grid`: the name of the grid; default: the one without a name. */
  static forRoot({ grid, ...options }: GridMetricsOptions & { readonly grid?: string } = {}): DynamicModule {
    const start = (modules: ModuleRef): OnModuleInit => ({
      onModuleInit() {
        // not by injection: a grid that is not global is not visible here
        collectGridMetrics(modules.get(getGridToken(grid), { strict: false }), options);
      },
    });
    const provide = ownToken('metrics');
    return { module: GridMetricsModule, providers: [{ provide, inject: [ModuleRef], useFactory: start }] };
  }
}

/** By registry and prefix. */
const REGISTERED = new WeakMap<Registry, Map<string, GridMetrics>>();

/** Reports one value of a metric. */
type Report = (value: number, labels?: Record<string, string>) => void;

/** A metric and where it is read: from each peer, or from each handler of each peer, whose values are added up. */
interface MetricOf<Source> {
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** Beside those that all metrics of this source have. */
  readonly labels?: readonly string[];
  readonly read: (from: Source, report: Report) => void;
}

/** A metric with one value, or none where it is not known. */
function single<Source>(
  type: MetricOf<Source>['type'],
  help: string,
  value: (from: Source) => number | undefined,
): MetricOf<Source> {
  const read = (from: Source, report: Report): void => {
    const known = value(from);
    if (known !== undefined) report(known);
  };
  return { type, help, read };
}

/** A counter of what comes in and what goes out. */
function bothWays<Source>(help: string, counts: (from: Source) => readonly [number, number]): MetricOf<Source> {
  const read = (from: Source, report: Report): void => {
    const [received, sent] = counts(from);
    report(received, { way: 'in' });
    report(sent, { way: 'out' });
  };
  return { type: 'counter', help, labels: ['way'], read };
}

/** A counter for each entry of a record, whose key is a label. */
function each<Source>(
  help: string,
  label: string,
  counts: (from: Source) => Readonly<Record<string, number>>,
): MetricOf<Source> {
  const read = (from: Source, report: Report): void =>
    Object.entries(counts(from)).forEach(([key, count]) => report(count, { [label]: key }));
  return { type: 'counter', help, labels: [label], read };
}

const STATES: readonly PeerState[] = ['connecting', 'connected', 'disconnected', 'closed'];

const OF_PEERS: Readonly<Record<string, MetricOf<PeerStatus>>> = {
  peer_state: {
    type: 'gauge',
    help: '1 for the state that the link to the peer is in, 0 for the others',
    labels: ['state'],
    read: (peer, report) => STATES.forEach((state) => report(peer.state === state ? 1 : 0, { state })),
  },
  peer_open_calls: {
    type: 'gauge',
    help: 'Calls that are not over, by the side that made them',
    labels: ['direction'],
    read: ({ outgoing, incoming }, report) => {
      report(outgoing, { direction: 'outgoing' });
      report(incoming, { direction: 'incoming' });
    },
  },
  peer_running_handlers: single(
    'gauge',
    'Handlers called by the peer that have not ended, those of calls that are over included',
    ({ running }) => running,
  ),
  peer_queued_messages: single('gauge', 'Messages that wait to be written', ({ queued }) => queued),
  peer_queued_bytes: single('gauge', 'Bytes that wait to be written', ({ queuedBytes }) => queuedBytes),
  peer_ping_seconds: single(
    'gauge',
    'The last round trip to the peer',
    ({ lastPingMs }) => lastPingMs && lastPingMs / 1_000,
  ),
  peer_reconnects_total: single('counter', 'Connections after the first one', ({ reconnects }) => reconnects),
  peer_bytes_total: bothWays('Bytes of all frames', ({ bytesIn, bytesOut }) => [bytesIn, bytesOut]),
  peer_frames_total: bothWays('Frames, each of one or many messages', (peer) => [peer.framesIn, peer.framesOut]),
  peer_dropped_messages_total: each('Messages ignored by a rule of the protocol', 'what', ({ dropped }) => dropped),
};

const OF_HANDLERS: Readonly<Record<string, MetricOf<HandlerStats>>> = {
  calls_total: single('counter', 'Calls that have ended, well or not', ({ calls }) => calls),
  call_errors_total: each('Calls that have ended with an error', 'code', ({ errors }) => errors),
  call_payload_bytes_total: bothWays('Bytes of payloads', ({ bytesIn, bytesOut }) => [bytesIn, bytesOut]),
  open_calls: single('gauge', 'Calls that are not over', ({ open }) => open),
  stream_credits: single(
    'gauge',
    'Messages that may be sent on open streams before a credit comes back',
    ({ credits }) => credits,
  ),
  starved_streams: single('gauge', 'Open streams that wait for a credit to send', ({ starved }) => starved),
  stream_unread_messages: single(
    'gauge',
    'Messages of open streams that came and that the application has not taken',
    ({ unread }) => unread,
  ),
};

const HANDLER_LABELS = ['grid', 'local', 'handler', 'pattern', 'direction', 'kind'] as const;

/** What one host has counted, and the labels that tell it from the others of the registry. */
interface Counted {
  readonly stats: GridStats;
  readonly labels: Readonly<Record<string, string>>;
}

/** All metrics of one prefix in one registry, for as long as there is a grid in them. */
class GridMetrics {
  private readonly grids = new Set<GridManager>();
  private readonly metrics = new Map<string, object>();
  private asked: readonly Counted[] | undefined = undefined;

  constructor(
    private readonly registry: Registry,
    private readonly prefix: string,
  ) {
    try {
      this.registerAll();
    } catch (error) {
      // the application has a metric of such a name: none of ours stays beside it
      this.unregister();
      throw error;
    }
  }

  /** False once the registry was cleared: what is in it by these names now, if anything, is not ours. */
  get registered(): boolean {
    return [...this.metrics].some(([name, metric]) => this.isOurs(name, metric));
  }

  add(grid: GridManager): void {
    const { name, local } = grid;
    if ([...this.grids].some((other) => other.name === name && other.local === local)) {
      const text = `this registry has a grid '${name}' already: each one needs a name or a registry of its own`;
      throw new GridError('ALREADY_EXISTS', text);
    }
    this.grids.add(grid);
  }

  /** True when no grid is left and the metrics are gone. */
  remove(grid: GridManager): boolean {
    this.grids.delete(grid);
    if (this.grids.size > 0) return false;
    this.unregister();
    return true;
  }

  private registerAll(): void {
    for (const [name, metric] of Object.entries(OF_PEERS)) {
      this.register(name, metric, ['grid', 'local', 'peer'], ({ stats, labels: common }, report) => {
        for (const peer of stats.peers) {
          metric.read(peer, (value, labels) => report(value, { ...common, peer: peer.host, ...labels }));
        }
      });
    }
    for (const [name, metric] of Object.entries(OF_HANDLERS)) {
      this.register(name, metric, HANDLER_LABELS, (counted, report) => {
        for (const handler of handlersOf(counted)) {
          const all = handlerLabels(counted, handler);
          metric.read(handler, (value, labels) => report(value, { ...all, ...labels }));
        }
      });
    }
    this.registerLatency();
  }

  private unregister(): void {
    for (const [name, metric] of this.metrics) if (this.isOurs(name, metric)) this.registry.removeSingleMetric(name);
  }

  private isOurs(name: string, metric: object): boolean {
    return this.registry.getSingleMetric(name) === metric;
  }

  private register<Source>(
    name: string,
    { type, help, labels = [] }: MetricOf<Source>,
    common: readonly string[],
    read: (counted: Counted, report: Report) => void,
  ): void {
    const config = { name: this.prefix + name, help, labelNames: [...common, ...labels], registers: [this.registry] };
    const collect = (): void => {
      // what is read is the whole count, not what was added since the last scrape
      metric.reset();
      for (const counted of this.counted()) read(counted, (value, all = {}) => metric.inc(all, value));
    };
    const metric = type === 'gauge' ? new Gauge({ ...config, collect }) : new Counter({ ...config, collect });
    this.metrics.set(config.name, metric);
  }

  /** prom-client's own histogram takes one duration at a time; this one gives what was counted elsewhere. */
  private registerLatency(): void {
    const name = `${this.prefix}call_duration_seconds`;
    const help = 'From opening a call to its end';
    const get = async (): Promise<object> => {
      const values = this.counted().flatMap((counted) => latencyOf(name, counted));
      return { name, help, type: 'histogram', aggregator: 'sum', values };
    };
    // a registry asks a metric for no more than this
    const metric = { name, help, type: 'histogram', get, reset() {} } as unknown as Histogram;
    this.registry.registerMetric(metric);
    this.metrics.set(name, metric);
  }

  /** Asked once for all metrics of a scrape, which are read in one turn. */
  private counted(): readonly Counted[] {
    if (!this.asked) {
      const all = [...this.grids].map((grid) => grid.stats());
      this.asked = all.map((stats) => ({ stats, labels: labelsAmong(all, stats) }));
      queueMicrotask(() => {
        this.asked = undefined;
      });
    }
    return this.asked;
  }
}

/** Of one host in a process Prometheus knows by itself which it is. */
function labelsAmong(all: readonly GridStats[], { name, local }: GridStats): Record<string, string> {
  const alone = all.filter((other) => other.name === name).length === 1;
  return alone ? { grid: name } : { grid: name, local };
}

/** Calls of this host to itself are calls too. */
function handlersOf({ stats: { peers, self } }: Counted): HandlerStats[] {
  return [...peers, self].flatMap(({ handlers }) => handlers);
}

function handlerLabels({ labels }: Counted, from: HandlerStats): Record<string, string> {
  const { handler, pattern = '', direction, kind } = from;
  return { ...labels, handler: String(handler), pattern, direction, kind };
}

/** Upper bounds in seconds: 1, 2 and 5 of each power of ten from 100 µs to 100 s, as near as the counts know them. */
const BOUNDS = Array.from({ length: 61 }, (_, step) => step)
  .filter((step) => [0, 3, 7].includes(step % 10))
  .map((step) => 1e-4 * 10 ** (step / 10));

interface Sample {
  readonly metricName: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

function latencyOf(name: string, counted: Counted): Sample[] {
  const byLabels = new Map<string, HandlerStats[]>();
  for (const handler of handlersOf(counted)) {
    const key = JSON.stringify(handlerLabels(counted, handler));
    byLabels.set(key, [...(byLabels.get(key) ?? []), handler]);
  }
  return [...byLabels.values()].flatMap((same) => {
    const labels = handlerLabels(counted, same[0]!);
    const buckets = same.flatMap(({ latency }) => latency.buckets);
    const upTo = (seconds: number): number =>
      // bounds of both sides come from powers, and may differ in the last digit
      sum(buckets.filter(({ upToMs }) => upToMs / 1_000 <= seconds * 1.0001).map(({ count }) => count));
    const sample = (part: string, value: number, more?: object): Sample => ({
      metricName: `${name}_${part}`,
      labels: { ...labels, ...more },
      value,
    });
    const count = sum(same.map(({ latency }) => latency.count));
    return [
      ...BOUNDS.map((seconds) => sample('bucket', upTo(seconds), { le: Number(seconds.toPrecision(4)) })),
      sample('bucket', count, { le: '+Inf' }),
      sample('sum', sum(same.map(({ latency }) => latency.totalMs)) / 1_000),
      sample('count', count),
    ];
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
