import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Assignment, FromRun, Role, Sample, ToRun } from './process-message.js';

const MODULE = fileURLToPath(new URL('./run-process.js', import.meta.url));
const CORE: Readonly<Record<Role, number>> = { client: 0, server: 1, crowd: 0 };

/** A process gets so long to leave by itself. */
const LEAVE_MS = 20_000;

/** True where each process can be held on a core of its own; without it the scheduler decides the figures. */
export const pinned = spawnSync('taskset', ['-c', '1', 'true']).status === 0;

/** One process of a run, as the starting one sees it. */
export class Child {
  private readonly process: ChildProcess;
  private readonly name: string;
  private readonly inbox: FromRun[] = [];
  private failure: Error | undefined;
  private wake = (): void => {};

  constructor(assignment: Assignment) {
    const { role, run } = assignment;
    const nodeArgs = ['--expose-gc', '--disable-warning=ExperimentalWarning', ...run.v8];
    const start = pinned
      ? { execPath: 'taskset', execArgv: ['-c', String(CORE[role]), process.execPath, ...nodeArgs] }
      : { execArgv: nodeArgs };
    const env = { ...process.env, NODE_ENV: 'production' };
    this.process = fork(MODULE, [JSON.stringify(assignment)], { ...start, env });
    this.name = `${run.case} ${run.api}: ${role}`;
    this.process.once('exit', (code, signal) => this.fail(`left early (${signal ?? code})`));
    this.process.on('error', (error) => this.fail(error.message));
    this.process.on('message', (message: FromRun) => {
      if (message.kind === 'failed') return this.fail(message.text);
      this.inbox.push(message);
      this.wake();
    });
  }

  /** Whoever waits for a message, now or later, gets this error. */
  fail(text: string): void {
    this.failure ??= new Error(`${this.name} ${text}`);
    this.wake();
  }

  tell(message: ToRun): void {
    this.process.send(message);
  }

  /** The next message. Rejects when the process leaves or fails first. */
  async next(): Promise<FromRun> {
    for (;;) {
      const message = this.inbox.shift();
      if (message) return message;
      if (this.failure) throw this.failure;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** The next message, which can only be of that kind. */
  async expect<K extends FromRun['kind']>(kind: K): Promise<Extract<FromRun, { kind: K }>> {
    const message = await this.next();
    if (message.kind !== kind) throw new Error(`${message.kind} came where ${kind} was due`);
    return message as Extract<FromRun, { kind: K }>;
  }

  async sample(at: 'begin' | 'end'): Promise<Sample> {
    this.tell({ kind: 'sample?', at });
    return (await this.expect('sample')).sample;
  }

  /** Lets it leave by itself; resolves when it is gone. */
  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.process;
    if (exitCode !== null || signalCode !== null || this.process.pid === undefined) return;
    const left = once(this.process, 'exit');
    const hang = setTimeout(() => this.process.kill('SIGKILL'), LEAVE_MS);
    if (this.process.connected) this.process.disconnect();
    await left;
    clearTimeout(hang);
  }
}
