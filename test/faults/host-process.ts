import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { localDials } from '../../lib/manager/who-dials.js';
import { TcpFaultProxy } from '../../lib/testing/tcp-fault-proxy.js';
import { within } from '../conformance/hang-budget.js';
import { freePorts } from '../ports.js';
import { volume } from '../scale.js';

const FIXTURE = join(import.meta.dirname, 'host-main.js');
/** Whatever a process is told to do is done by then, on a busy machine too. */
const HANG_MS = volume(60_000, 600_000);

export interface Failure {
  code: string;
  reason?: string;
  notSent: boolean;
  remote: boolean;
  text: string;
}

/** The one end of a call. */
export interface End {
  id: number;
  kind: 'request' | 'stream' | 'many' | 'both';
  items: number[];
  answer?: unknown;
  error?: Failure;
}

/** In milliseconds. */
export interface Times {
  count: number;
  p50: number;
  p99: number;
  longest: number;
}

export interface Facts {
  lines: string[];
  events: { type: string; peer: string; at: number; error?: string }[];
  streams: { started: number; aborted: number; ended: number };
  peers: { host: string; state: string; open: number }[];
}

interface Orders {
  connect: void;
  request: End & { tookMs: number };
  bulk: (Failure | 'answered')[];
  session: End[];
  several: End[];
  increments: void;
  increased: { id: number; right?: boolean; error?: Failure; tookMs: number }[];
  streams: unknown[];
  ran: Record<string, number>;
  seen: Record<string, number>;
  ping: number;
  pings: Times;
  load: void;
  unload: Times & { failures: string[] };
  block: void;
  beat: void;
  beats: { beats: number; error?: Failure };
  facts: Facts;
}

export interface HostOptions {
  local: string;
  hosts: readonly string[];
  /** The port behind a proxy. */
  listen?: { port: number };
  intervals?: Record<string, number>;
  limits?: Record<string, number>;
}

/** A host of a grid in a process of its own. */
export class HostProcess {
  private readonly waiting = new Map<number, (told: { answer?: unknown; error?: string }) => void>();
  private last = 0;

  private constructor(
    readonly local: string,
    private readonly child: ChildProcess,
  ) {
    child.on('message', (told: { id: number; answer?: unknown; error?: string }) => {
      this.waiting.get(told.id)?.(told);
      this.waiting.delete(told.id);
    });
  }

  static async start(options: HostOptions): Promise<HostProcess> {
    const { NODE_OPTIONS: _jestOnly, ...env } = process.env;
    const child = fork(FIXTURE, [JSON.stringify(options)], { execArgv: [], env });
    const host = new HostProcess(options.local, child);
    await within(new Promise((resolve) => host.waiting.set(0, resolve)), 'the process is not ready', HANG_MS);
    return host;
  }

  async tell<O extends keyof Orders>(order: O, args: object = {}): Promise<Orders[O]> {
    const id = ++this.last;
    const told = new Promise<{ answer?: unknown; error?: string }>((resolve) => this.waiting.set(id, resolve));
    this.child.send({ id, order, ...args });
    const { answer, error } = await within(told, `${order} is not answered`, HANG_MS);
    if (error !== undefined) throw new Error(`${order}: ${error}`);
    return answer as Orders[O];
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await gone;
  }
}

export interface ClusterOptions {
  /** Of the callers; of the target where `targetIntervals` says nothing else. */
  readonly intervals?: Record<string, number>;
  readonly targetIntervals?: Record<string, number>;
  readonly limits?: Record<string, number>;
  readonly record?: boolean;
}

/** Hosts that all dial one of them, the target, through a proxy: whatever travels between it and the others. */
export class ProxiedCluster {
  private constructor(
    readonly callers: readonly HostProcess[],
    readonly target: HostProcess,
    readonly proxy: TcpFaultProxy,
  ) {}

  static async start(callers: number, options: ClusterOptions = {}): Promise<ProxiedCluster> {
    // who of two hosts dials follows from their names
    const ports = await freePorts(8 * (callers + 2));
    const [behind, front, ...others] = ports as [number, number, ...number[]];
    const target = origin(front);
    const dialing = others.map(origin).filter((other) => localDials(other, target));
    if (dialing.length < callers) throw new Error(`of ${others.length} names only ${dialing.length} dial the target`);
    const hosts = [...dialing.slice(0, callers), target];
    const { intervals, targetIntervals = intervals, limits, record } = options;
    const proxy = await TcpFaultProxy.before(behind, { port: front, record });
    const started = await Promise.all(
      hosts.map((local) =>
        HostProcess.start(
          local === target
            ? { local, hosts, limits, intervals: targetIntervals, listen: { port: behind } }
            : { local, hosts, limits, intervals },
        ),
      ),
    );
    const cluster = new ProxiedCluster(started.slice(0, callers), started.at(-1)!, proxy);
    await cluster.connected();
    return cluster;
  }

  /** All with all. */
  async connected(): Promise<void> {
    const all = [...this.callers, this.target];
    await Promise.all(
      all.flatMap((host) =>
        all.filter((peer) => peer !== host).map((peer) => host.tell('connect', { peer: peer.local })),
      ),
    );
  }

  async end(): Promise<void> {
    await Promise.all([...this.callers, this.target].map((host) => host.end()));
    await this.proxy.close();
  }
}

function origin(port: number): string {
  return `http://127.0.0.1:${port}`;
}
