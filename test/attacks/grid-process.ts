import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { within } from '../conformance/hang-budget.js';

const FIXTURE = join(import.meta.dirname, 'host-main.js');

/** What a process says of itself. Memory in bytes. */
export interface Facts {
  rss: number;
  /** The most since its start. */
  peakRss: number;
  /** Handlers of the slow calls: ever started, running now, the most at a time. */
  started: number;
  running: number;
  mostRunning: number;
  /** Its log. */
  lines: string[];
  peers: {
    host: string;
    state: string;
    incoming: number;
    handlers: number;
    queuedBytes: number;
    dropped: Record<string, number>;
  }[];
}

/** How the calls of an honest peer went. Times in milliseconds. */
export interface LoadReport {
  calls: number;
  failures: string[];
  p50: number;
  p99: number;
  longest: number;
}

interface Orders {
  facts: Facts;
  connect: void;
  load: void;
  unload: LoadReport;
}

export interface GridProcessOptions {
  local: string;
  hosts: readonly string[];
  /** Shown and wanted by all; default: `auth` is 'none'. */
  token?: string;
  route?: string;
  limits?: Record<string, number>;
  intervals?: Record<string, number>;
}

/** A host of a grid in a process of its own. */
export class GridProcess {
  private readonly waiting = new Map<number, (told: { answer?: unknown; error?: string }) => void>();
  private last = 0;

  private constructor(private readonly child: ChildProcess) {
    child.on('message', (told: { id: number; answer?: unknown; error?: string }) => {
      this.waiting.get(told.id)?.(told);
      this.waiting.delete(told.id);
    });
  }

  static async start(options: GridProcessOptions): Promise<GridProcess> {
    const { NODE_OPTIONS: _jestOnly, ...env } = process.env;
    const child = fork(FIXTURE, [JSON.stringify(options)], { execArgv: [], env });
    const host = new GridProcess(child);
    const ready = new Promise((resolve) => host.waiting.set(0, resolve));
    await within(ready, 'the process is not ready', 20_000);
    return host;
  }

  async tell<O extends keyof Orders>(order: O, peer?: string): Promise<Orders[O]> {
    const id = ++this.last;
    const told = new Promise<{ answer?: unknown; error?: string }>((resolve) => this.waiting.set(id, resolve));
    this.child.send({ id, order, peer });
    const { answer, error } = await within(told, `${order} is not answered`, 40_000);
    if (error !== undefined) throw new Error(error);
    return answer as Orders[O];
  }

  get pid(): number {
    return this.child.pid!;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(): Promise<void> {
    if (!this.alive) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await gone;
  }
}
