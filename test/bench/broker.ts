import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const ARGUMENTS = {
  'nats-server': (port: number) => ['--addr', '127.0.0.1', '--port', String(port)],
  'redis-server': (port: number) => ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no'],
} as const;

export type BrokerName = keyof typeof ARGUMENTS;

/** Clock ticks of /proc in a second, on every system that has it. */
const TICKS = 100;
const PATIENCE_MS = 10_000;

/** Whether a program of that name is there to be started. */
export function hasBroker(name: BrokerName): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** A message broker of its own for one run, free to run on every core. */
export class Broker {
  private constructor(private readonly process: ChildProcess) {
    process.on('error', () => {}); // then nothing ever listens, which start() tells
  }

  /** Resolves when it takes connections. */
  static async start(name: BrokerName, port: number): Promise<Broker> {
    const broker = new Broker(spawn(name, ARGUMENTS[name](port), { stdio: 'ignore' }));
    // other than the processes of a run it does not notice that this one is gone
    process.on('exit', broker.kill);
    try {
      for (const giveUpAt = performance.now() + PATIENCE_MS; !(await listens(port)); await delay(20)) {
        if (performance.now() > giveUpAt) throw new Error(`${name} does not listen at ${port}`);
      }
      return broker;
    } catch (error) {
      await broker.stop();
      throw error;
    }
  }

  /** CPU seconds so far, in steps of 10 ms; 0 on systems that do not tell. */
  get cpuSeconds(): number {
    try {
      // the name of the program stands in brackets and may hold anything
      const [, facts = ''] = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ');
      const [user, system] = facts.split(' ').slice(11, 13);
      return (Number(user) + Number(system)) / TICKS;
    } catch {
      // not Linux
      return 0;
    }
  }

  async stop(): Promise<void> {
    process.off('exit', this.kill);
    const { exitCode, signalCode, pid } = this.process;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const left = once(this.process, 'exit');
    this.kill();
    await left;
  }

  private readonly kill = (): void => void this.process.kill('SIGKILL');
}

async function listens(port: number): Promise<boolean> {
  const socket = createConnection({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    // not yet: start() asks again
    return false;
  } finally {
    socket.destroy();
  }
}
