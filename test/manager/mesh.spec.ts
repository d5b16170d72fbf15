import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { freeHosts } from '../ports.js';
import { seeded } from '../random.js';
import { volume } from '../scale.js';
import { SECRET } from './neighbourhood.js';

const MESH = join(import.meta.dirname, 'mesh-process.js');

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
});

async function start(locals: readonly string[], hosts: readonly string[]): Promise<ChildProcess> {
  const child = fork(MESH, [JSON.stringify({ locals, hosts, secret: SECRET })], {
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  children.push(child);
  await once(child, 'message');
  return child;
}

it('B45 many hosts in two processes, started at random, are all connected soon after the last start', async () => {
  const count = volume(16, 32);
  const lastMs = volume(500, 5_000);
  const hosts = await freeHosts(count);
  const halves = [hosts.slice(0, count / 2), hosts.slice(count / 2)];
  const processes = await Promise.all(halves.map((locals) => start(locals, hosts)));
  const told = processes.map((child) => once(child, 'message'));
  const random = seeded(45);
  const delays = hosts.map(() => random() * lastMs);
  for (const [half, child] of processes.entries()) {
    child.send({ delays: delays.slice((half * count) / 2), lastMs, withinMs: volume(30_000, 10_000) });
  }
  const facts = (await Promise.all(told)).map(([fact]) => fact as { links: number; reconnects: number });
  // each of the count * (count - 1) / 2 connections has two ends
  const links = (count / 2) * (count - 1);
  expect({ facts, delays }).toMatchObject({ facts: [{ links, reconnects: 0 }, { links, reconnects: 0 }] });
});
