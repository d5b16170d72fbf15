import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LauncherMessage, NodeMessage } from '../node/supervision.js';
import { TimeLimitError, withTimeLimit } from '../node/time-limit.js';
import { Front } from './front.js';

/** The program of a node. */
export const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 8_000;
const TERMINATE_WITHIN_MS = 30_000;
const KEPT_OUTPUT = 8_000;

/** A node did not start. */
export class NodeStartError extends Error {
  override readonly name = 'NodeStartError';

  constructor(
    text: string,
    readonly code: string | undefined,
  ) {
    super(text);
  }
}

/** One node as a process of its own; it can be started again after it ended. */
export class NodeProcess {
  readonly front: Front;
  private child: ChildProcess | undefined;
  private output = '';

  constructor(
    readonly number: number,
    readonly url: string,
    readonly dataFolder: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly verbose: boolean,
    private readonly program: string = MAIN,
  ) {
    this.front = new Front(url);
  }

  get running(): boolean {
    return this.child !== undefined;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** The last of what the process wrote. */
  get lastOutput(): string {
    return this.output.trim();
  }

  /** Resolves when the node serves. */
  async start(): Promise<void> {
    const env = { ...process.env, ...this.env };
    const child = fork(this.program, [], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.child = child;
    child.once('exit', () => {
      if (this.child === child) this.child = undefined;
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => this.take(bytes.toString()));
    }
    const outcome = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        reject(new NodeStartError(this.told(`ended with ${signal ?? `code ${code}`}`), undefined)),
      );
      child.on('message', (message: NodeMessage) => {
        if (message.type === 'ready') resolve();
        else reject(new NodeStartError(this.told(message.text), message.code));
      });
    });
    try {
      await withTimeLimit(READY_WITHIN_MS, `node ${this.number} to be ready`, outcome);
    } catch (error) {
      // one that is only late would keep the port from the next one
      if (error instanceof TimeLimitError) await this.kill();
      throw error;
    }
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await withTimeLimit(STOP_WITHIN_MS, `node ${this.number} to be gone`, gone);
  }

  /** Asks it to end, and makes it end when it does not. */
  async stop(): Promise<void> {
    const { child } = this;
    if (!child) return;
    const gone = once(child, 'exit');
    // one that cannot be told is about to end by itself, and 'exit' tells that
    child.send({ type: 'stop' } satisfies LauncherMessage, () => undefined);
    try {
      await withTimeLimit(STOP_WITHIN_MS, `node ${this.number} to stop`, gone);
    } catch (error) {
      if (!(error instanceof TimeLimitError)) throw error;
      await this.kill();
    }
  }

  /** Ends it as an operating system does, with SIGTERM. Rejects when it does not end. */
  async terminate(): Promise<{ readonly code: number | null; readonly ms: number }> {
    const { child } = this;
    if (!child) throw new Error(`node ${this.number} does not run`);
    const begunAt = performance.now();
    const gone = once(child, 'exit') as Promise<[number | null]>;
    child.kill('SIGTERM');
    const [code] = await withTimeLimit(TERMINATE_WITHIN_MS, `node ${this.number} to end`, gone);
    return { code, ms: performance.now() - begunAt };
  }

  /** Freezes the process; it runs on at `resume()`. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** For the last moment, where nothing can be awaited any more. */
  killNow(): void {
    this.child?.kill('SIGKILL');
  }

  private take(text: string): void {
    this.output = (this.output + text).slice(-KEPT_OUTPUT);
    if (this.verbose) process.stderr.write(text.replace(/^(?=.)/gm, `[node ${this.number}] `));
  }

  private told(what: string): string {
    return `node ${this.number} did not start: ${what}`;
  }
}
