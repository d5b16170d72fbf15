import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { freePorts } from 'nestjs-grid/testing';
import type { CaseName } from './case-table.js';
import type { Meeting } from './case.js';
import type { Load, LoadResult } from './load.js';
import type { FromRun, ToRun } from './process-message.js';

export interface RunResult extends LoadResult {
  /** CPU seconds of both processes during the measured time. */
  readonly cpuSeconds: number;
  /** Cores that everything else on the machine kept busy meanwhile: the figures of a busy machine mean little. */
  readonly foreignCores: number;
}

const SERVER = fileURLToPath(new URL('./run-server.js', import.meta.url));
const CLIENT = fileURLToPath(new URL('./run-client.js', import.meta.url));

/** True where each process can be held on a core of its own; without it the scheduler decides the figures. */
export const pinned = spawnSync('taskset', ['-c', '1', 'true']).status === 0;

/** Two fresh processes, one run, both gone afterwards. `profile`: a folder for their CPU profiles. */
export async function runPair(name: CaseName, load: Load, profile?: string): Promise<RunResult> {
  const [serverPort, clientPort] = (await freePorts(2)) as [number, number];
  const meeting: Meeting = { serverPort, clientPort };
  const server = start(SERVER, 1, profile, [name, JSON.stringify(meeting)]);
  try {
    await server.next('ready');
    const client = start(CLIENT, 0, profile, [name, JSON.stringify(meeting), JSON.stringify(load)]);
    try {
      const cpu = async (): Promise<number> => (await server.cpu()) + (await client.cpu());
      await client.next('mark');
      const before = await cpu();
      const machineBefore = machineSeconds();
      client.tell({ kind: 'marked' });
      await client.next('mark');
      const machine = machineSeconds() - machineBefore;
      const cpuSeconds = (await cpu()) - before;
      client.tell({ kind: 'marked' });
      const { result } = await client.next('result');
      return { ...result, cpuSeconds, foreignCores: Math.max(0, machine - cpuSeconds) / (result.elapsedMs / 1000) };
    } finally {
      await client.stop();
    }
  } finally {
    await server.stop();
  }
}

/** CPU seconds that the whole machine has worked since it started. */
function machineSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

interface Running {
  /** The next message of that kind; rejects when the process leaves first. */
  next<K extends FromRun['kind']>(kind: K): Promise<Extract<FromRun, { kind: K }>>;
  /** CPU seconds used so far. */
  cpu(): Promise<number>;
  tell(message: ToRun): void;
  /** Lets it leave by itself, so that Node's profilers write their files; resolves when it is gone. */
  stop(): Promise<void>;
}

function start(module: string, core: number, profile: string | undefined, args: string[]): Running {
  const nodeArgs = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const onCore = pinned
    ? { execPath: 'taskset', execArgv: ['-c', String(core), process.execPath, ...nodeArgs] }
    : { execArgv: nodeArgs };
  const child: ChildProcess = fork(module, args, { ...onCore, env: { ...process.env, NODE_ENV: 'production' } });
  const gone = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`${args[0]} left early (${signal ?? code})`)));
    child.once('error', reject);
  });
  gone.catch(() => {}); // counts only while somebody waits
  const next: Running['next'] = async (kind) => {
    let onMessage: (message: FromRun) => void = () => {};
    const arrived = new Promise<FromRun>((resolve) => {
      onMessage = (message) => void (message.kind === kind && resolve(message));
      child.on('message', onMessage);
    });
    try {
      return (await Promise.race([arrived, gone])) as Extract<FromRun, { kind: typeof kind }>;
    } finally {
      child.off('message', onMessage);
    }
  };
  const tell = (message: ToRun): void => void child.send(message);
  return {
    next,
    tell,
    async cpu() {
      const answer = next('cpu');
      tell({ kind: 'cpu?' });
      return (await answer).microseconds / 1e6;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const left = once(child, 'exit');
      const hang = setTimeout(() => child.kill('SIGKILL'), 5_000);
      if (child.connected) child.disconnect();
      await left;
      clearTimeout(hang);
    },
  };
}

