// The node under test: a real process, started as its users start it.
import { spawn, type ChildProcess } from 'node:child_process';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { dials } from './raw-codec.js';
import { until, within } from './hang-budget.js';

const project = fileURLToPath(new URL('../../', import.meta.url));

export interface Failure {
  code: string;
  message: string;
  remote: boolean;
}

export interface PeerState {
  host: string;
  state: 'connecting' | 'connected' | 'disconnected' | 'closed';
  outgoing: number;
  incoming: number;
  queued: number;
  reconnects: number;
  lastPingMs: number | null;
}

export interface NodeState {
  local: string;
  peers: PeerState[];
  handlers: { running: number };
}

/** Names of `count` hosts that dial `local`; nobody listens there. */
export function dialersOf(local: string, count: number): string[] {
  const names: string[] = [];
  for (let i = 1; names.length < count; i++) {
    const name = `http://raw-${i}.test:9000`;
    if (dials(name, local)) names.push(name);
  }
  return names;
}

/** A name that `local` dials. */
export function dialedBy(local: string): string {
  for (let i = 1; ; i++) {
    const name = `http://127.0.0.1:${i}`;
    if (dials(local, name)) return name;
  }
}

export class ConformanceNode {
  readonly lines: string[] = [];
  log = '';
  readonly readyLine: Promise<void>;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(
    readonly local: string,
    readonly child: ChildProcess,
  ) {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    this.readyLine = new Promise((resolve) => {
      createInterface({ input: child.stdout! }).on('line', (line) => {
        this.lines.push(line);
        resolve();
      });
    });
    this.exit = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  }

  static async start(options: {
    local: string;
    hosts: readonly string[];
    env?: Record<string, string>;
    command?: readonly [string, ...string[]];
  }): Promise<ConformanceNode> {
    const [program, ...args] = options.command ?? [process.execPath, 'sample/conformance/dist/main.js'];
    const { NODE_OPTIONS: _jestOnly, ...env } = process.env;
    const child = spawn(program, args, {
      cwd: project,
      env: {
        ...env,
        GRID_LOCAL: options.local,
        GRID_HOSTS: [options.local, ...options.hosts].join(','),
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const node = new ConformanceNode(options.local, child);
    const ready = await within(Promise.race([node.readyLine, node.exit]), () => `no ready line:\n${node.log}`, 60_000);
    if (ready) throw new Error(`the node ended with ${ready.code ?? ready.signal}:\n${node.log}`);
    return node;
  }

  /** SIGTERM; the time it took to leave, in ms. */
  async stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null; ms: number }> {
    const started = Date.now();
    this.child.kill('SIGTERM');
    try {
      return {
        ...(await within(this.exit, () => `the node is still there:\n${this.log.slice(-2_000)}`)),
        ms: Date.now() - started,
      };
    } finally {
      this.child.kill('SIGKILL');
    }
  }

  async state(): Promise<NodeState> {
    const { status, json } = await this.http('GET', '/state');
    if (status !== 200) throw new Error(`GET /state: ${status}`);
    return json as NodeState;
  }

  async peer(host: string): Promise<PeerState> {
    const found = (await this.state()).peers.find((peer) => peer.host === host);
    if (!found) throw new Error(`no ${host} in /state`);
    return found;
  }

  /** Waits until the node says that this peer is in that state. */
  async reaches(host: string, wanted: PeerState['state'], budgetMs = 30_000): Promise<PeerState> {
    let last: PeerState | undefined;
    return until(
      async () => {
        last = await this.peer(host);
        return last.state === wanted && last;
      },
      () => `${host} is not ${wanted}: ${JSON.stringify(last)}`,
      budgetMs,
    );
  }

  /** POST /call: the payload, or the failure. */
  async call(
    host: string,
    handler: number,
    options: {
      payload?: Uint8Array | string;
      subroute?: string;
      deadlineMs?: number;
      cancelAfterMs?: number;
      metadata?: Record<string, string>;
    } = {},
  ): Promise<{ payload: Buffer | null } | Failure> {
    const payload = Buffer.from(options.payload ?? '').toString('base64');
    const { status, json } = await this.http('POST', '/call', { host, handler, ...options, payload });
    if (status === 502) return json as Failure;
    if (status !== 200) throw new Error(`POST /call: ${status} ${JSON.stringify(json)}`);
    const answer = json as { payload: string | null };
    return { payload: answer.payload === null ? null : Buffer.from(answer.payload, 'base64') };
  }

  async stream(
    host: string,
    handler: number,
    options: {
      payload?: Uint8Array | string;
      inputs?: (Uint8Array | string)[];
      subroute?: string;
      deadlineMs?: number;
      cancelAfter?: number;
      many?: true;
    } = {},
  ): Promise<{ outputs: string[]; error: Failure | null }> {
    const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
    const { status, json } = await this.http('POST', '/stream', {
      host,
      handler,
      ...options,
      payload: options.payload === undefined ? undefined : base64(options.payload),
      inputs: options.inputs?.map(base64),
    });
    if (status !== 200) throw new Error(`POST /stream: ${status} ${JSON.stringify(json)}`);
    const answer = json as { outputs: string[]; error: Failure | null };
    return { outputs: answer.outputs.map((text) => Buffer.from(text, 'base64').toString('utf8')), error: answer.error };
  }

  http(method: string, path: string, content?: unknown): Promise<{ status: number; json: unknown }> {
    const asked = new Promise<{ status: number; json: unknown }>((resolve, reject) => {
      const sent = request(`${this.local}${path}`, {
        method,
        agent: false,
        headers: { 'content-type': 'application/json' },
      });
      sent.on('error', reject);
      sent.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => {
          try {
            resolve({ status: response.statusCode ?? 0, json: text === '' ? undefined : JSON.parse(text) });
          } catch (error) {
            reject(error);
          }
        });
      });
      sent.end(content === undefined ? undefined : JSON.stringify(content));
    });
    return within(asked, `${method} ${path} is not answered`, 30_000);
  }
}
