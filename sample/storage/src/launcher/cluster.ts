import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeProcess, NodeStartError } from './node-process.js';
import type { LauncherOptions } from './options.js';
import { freePorts, LOOPBACK } from './ports.js';

/** Somebody else may take a picked port before its node does. */
const PORT_TRIES = 5;

/** How nodes differ from those of a plain start: for who stands between them. */
export interface ClusterFit {
  /** Program of a node, in place of the sample's own. */
  readonly program: string;
  /** What its environment holds beside. */
  readonly env: Readonly<Record<string, string>>;
  /** Puts something before the port of each node and gives the ports under which the others know them. */
  forward(ports: readonly number[]): Promise<readonly number[]>;
}

/** All nodes of one deployment, each a process with its own port and folder. */
export class Cluster {
  nodes: readonly NodeProcess[] = [];
  readonly folder: string;
  private readonly temporary: boolean;
  private closed = false;

  constructor(
    private readonly options: Pick<LauncherOptions, 'nodes' | 'port' | 'dataFolder' | 'keep' | 'verbose'>,
    private readonly fit?: ClusterFit,
  ) {
    this.temporary = options.dataFolder === undefined && !options.keep;
    this.folder = options.dataFolder ?? mkdtempSync(join(tmpdir(), 'grid-storage-'));
    // whatever ends this process, no node outlives it
    process.on('exit', () => {
      for (const node of this.nodes) node.killNow();
      this.removeFolder();
    });
  }

  async start(): Promise<void> {
    for (let tries = 1; ; tries++) {
      this.nodes = await this.lay(await freePorts(this.options.nodes, this.options.port));
      try {
        await Promise.all(this.nodes.map((node) => node.start()));
        return;
      } catch (error) {
        const left = await this.stopNodes();
        if (left.length > 0) throw notEnded([error as Error, ...left]);
        const isPortGone = error instanceof NodeStartError && error.code === 'EADDRINUSE';
        if (!isPortGone || this.options.port !== undefined || tries === PORT_TRIES || this.closed) throw error;
      }
    }
  }

  /** The nodes that run. */
  get alive(): readonly NodeProcess[] {
    return this.nodes.filter((node) => node.running);
  }

  /** Another node than the one with this number. */
  other(number: number, step = 1): NodeProcess {
    return this.node((number + step) % this.nodes.length);
  }

  node(number: number): NodeProcess {
    const node = this.nodes[number];
    if (!node) throw new Error(`there is no node ${number}`);
    return node;
  }

  /** Ends all nodes and removes their temporary folder. Rejects when one of them could not be ended. */
  async stop(): Promise<void> {
    this.closed = true;
    const left = await this.stopNodes();
    this.removeFolder();
    if (left.length > 0) throw notEnded(left);
  }

  private async lay(ports: readonly number[]): Promise<NodeProcess[]> {
    const known = (await this.fit?.forward(ports)) ?? ports;
    const hosts = known.map((port) => `http://${LOOPBACK}:${port}`);
    const common = {
      ...this.fit?.env,
      STORAGE_HOSTS: hosts.join(','),
      STORAGE_SECRET: randomBytes(32).toString('hex'),
      STORAGE_TEMPORARY: this.temporary ? '1' : '0',
      STORAGE_VERBOSE: this.options.verbose ? '1' : '0',
      NO_COLOR: '1',
    };
    return Promise.all(
      ports.map(async (port, number) => {
        const url = `http://${LOOPBACK}:${port}`;
        const folder = join(this.folder, `node-${number}`);
        await mkdir(folder, { recursive: true });
        const own = { STORAGE_NODE: String(number), STORAGE_DATA: folder, STORAGE_LISTEN_PORT: String(port) };
        return new NodeProcess(number, url, folder, { ...common, ...own }, this.options.verbose, this.fit?.program);
      }),
    );
  }

  /** Gives why some of them could not be ended. */
  private async stopNodes(): Promise<Error[]> {
    const outcomes = await Promise.allSettled(this.nodes.map((node) => node.stop()));
    return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
  }

  private removeFolder(): void {
    if (this.temporary) rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function notEnded(errors: readonly Error[]): AggregateError {
  return new AggregateError(errors, errors.map(({ message }) => message).join('; '));
}
