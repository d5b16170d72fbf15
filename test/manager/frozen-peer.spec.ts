import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { freeHosts } from '../ports.js';
import { SECRET } from './neighbourhood.js';

interface Told {
  readonly id: number;
  readonly answer?: string;
  readonly error?: string;
  readonly disconnected?: boolean;
}

const HOST = join(import.meta.dirname, 'host-process.js');

/** A host in a process of its own. */
class HostProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (told: Told) => void>();
  private last = 0;
  readonly ready: Promise<Told>;

  constructor(
    readonly local: string,
    hosts: readonly string[],
  ) {
    this.child = fork(HOST, [JSON.stringify({ local, hosts, secret: SECRET })], {
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    this.child.on('message', (told: Told) => this.waiting.get(told.id)?.(told));
    this.ready = new Promise((resolve) => this.waiting.set(0, resolve));
  }

  ask(ask: 'connect' | 'echo', peer: string): Promise<Told> {
    const id = ++this.last;
    const told = new Promise<Told>((resolve) => this.waiting.set(id, resolve));
    this.child.send({ id, ask, peer });
    return told;
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

let processes: HostProcess[] = [];
afterEach(async () => {
  await Promise.all(processes.map((host) => host.end()));
});

it('B05 a frozen host fails its own calls within the ping window, delays no others, and is back without a restart', async () => {
  const hosts = await freeHosts(4);
  processes = hosts.map((local) => new HostProcess(local, hosts));
  await Promise.all(processes.map(({ ready }) => ready));
  const [first, second, third, frozen] = processes as [HostProcess, HostProcess, HostProcess, HostProcess];
  for (const host of [first, second, third]) {
    for (const peer of hosts)
      if (peer !== host.local) expect(await host.ask('connect', peer)).toMatchObject({ answer: 'connected' });
  }
  frozen.signal('SIGSTOP');
  const stuck = [first, second, third].map((host) => host.ask('echo', frozen.local));
  for (let i = 0; i < 50; i++) {
    expect(await first.ask('echo', second.local)).toMatchObject({ answer: 'x' });
    expect(await second.ask('echo', third.local)).toMatchObject({ answer: 'x' });
  }
  // their deadline is a minute: only the silence of the peer can end them
  for (const told of await Promise.all(stuck)) expect(told).toMatchObject({ disconnected: true });
  frozen.signal('SIGCONT');
  expect(await first.ask('connect', frozen.local)).toMatchObject({ answer: 'connected' });
  expect(await first.ask('echo', frozen.local)).toMatchObject({ answer: 'x' });
}, 60_000);
