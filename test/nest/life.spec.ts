import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from '@jest/globals';
import { GridError, type GridEvent } from 'nestjs-grid';
import { run } from '../project/process.js';
import { ROOT } from '../project/sources.js';
import { freeHosts } from '../ports.js';
import { until } from '../until.js';
import { startApp } from './test-app.js';

/** What the programs below have in common: a handler that answers once it was told to, and a provider that it needs. */
const COMMON = `
  import 'reflect-metadata';
  import { Controller, Injectable, Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { MessagePattern } from '@nestjs/microservices';
  import { connectGrid, Grid, GridModule, gridMicroservice } from 'nestjs-grid';
  const say = (line) => console.log(line);
  let open;
  const gate = new Promise((resolve) => (open = resolve));
  class Disk {
    closed = false;
    onModuleDestroy() { this.closed = true; say('destroy'); }
    beforeApplicationShutdown(signal) { say('before ' + (signal ?? 'no signal')); }
    onApplicationShutdown() { say('shutdown'); }
  }
  Injectable()(Disk);
  class Work {
    constructor(disk) { this.disk = disk; }
    async slow() { say('running'); await gate; return this.disk.closed ? 'too late' : 'in time'; }
    pid() { return process.pid; }
  }
  for (const [id, name] of [[60, 'slow'], [61, 'pid']]) {
    MessagePattern(id)(Work.prototype, name, Object.getOwnPropertyDescriptor(Work.prototype, name));
  }
  Reflect.defineMetadata('design:paramtypes', [Disk], Work);
  Controller()(Work);
  const grid = (local, hosts, more = {}) => GridModule.forRoot({
    local, hosts, auth: { secret: 'a secret of at least thirty-two bytes!' }, intervals: { redialMs: 50 }, ...more,
  });
  const moduleOf = (...args) => {
    class AppModule {}
    Module({ imports: [grid(...args)], controllers: [Work], providers: [Disk] })(AppModule);
    return AppModule;
  };
  const quiet = { logger: false, abortOnError: false };
`;

/** One host calls itself; while its handler runs the app is ended, and the handler is let go once the grid drains. */
const ending = (local: string, make: string, end: string): string => `${COMMON}
  const local = ${JSON.stringify(local)};
  const port = Number(new URL(local).port);
  ${make}
  const peer = app.get(Grid).peer(local);
  app.get(Grid).events.subscribe(({ type }) => { if (type === 'draining') { say('draining'); setTimeout(open, 20); } });
  peer.request(60).then((answer) => say('answer ' + answer), (error) => say('failed ' + error));
  while (app.get(Grid).stats().self.running === 0) await new Promise((resolve) => setImmediate(resolve));
  ${end}
`;

const HYBRID = `
  const app = await NestFactory.create(moduleOf(local, [local]), quiet);
  await connectGrid(app);
  app.enableShutdownHooks();
  await app.listen(port, '127.0.0.1');`;
const STANDALONE = `
  const app = await NestFactory.createMicroservice(moduleOf(local, [local]), { ...gridMicroservice(), ...quiet });
  app.enableShutdownHooks();
  await app.listen();`;
const CLOSE = "await app.close(); await app.close(); say('closed');";
const HOOKS = ['destroy', 'before no signal', 'shutdown'];
const SIGNAL = "process.kill(process.pid, 'SIGTERM');";

describe('the end of an app: its handlers have ended before anything of it is torn down', () => {
  test.each([
    // Nest runs the hooks of a hybrid app each time
    ['a hybrid app, app.close() twice', HYBRID, CLOSE, [...HOOKS, ...HOOKS, 'closed']],
    ['a hybrid app, SIGTERM', HYBRID, SIGNAL, ['destroy', 'before SIGTERM', 'shutdown']],
    ['a standalone one, app.close() twice', STANDALONE, CLOSE, [...HOOKS, 'closed']],
    ['a standalone one, SIGTERM', STANDALONE, SIGNAL, ['destroy', 'before SIGTERM', 'shutdown']],
  ])('%s', async (_, make, end, last) => {
    const [local] = (await freeHosts(1)) as [string];
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', ending(local, make, end)], {
      cwd: ROOT,
      hangMs: 30_000,
    });
    expect(stderr).toBe('');
    expect(stdout.trim().split('\n')).toEqual(['running', 'draining', 'answer in time', ...last]);
  });
});

test.each([
  ['imported', ''],
  ['made, not connected', "await NestFactory.create(moduleOf('http://a:1', ['http://a:1']), quiet);"],
  [
    'connected, not started',
    "await connectGrid(await NestFactory.create(moduleOf('http://a:1', ['http://a:1', 'http://b:1']), quiet));",
  ],
])('a process in which the module was only %s ends by itself', async (_, program) => {
  const source = `${COMMON} ${program}`;
  const args = ['--input-type=module', '-e', source];
  const { code, stderr } = await run(process.execPath, args, { cwd: ROOT, hangMs: 30_000 });
  expect([code, stderr]).toEqual([0, '']);
});

describe('hot restart', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function host(local: string, hosts: readonly string[]): Promise<ChildProcess> {
    const source = `${COMMON}
      const app = await NestFactory.create(moduleOf(${JSON.stringify(local)}, ${JSON.stringify(hosts)}), quiet);
      await connectGrid(app);
      app.enableShutdownHooks();
      await app.listen(Number(new URL(${JSON.stringify(local)}).port), '127.0.0.1');
      say('listening');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await once(createInterface(child.stdout!), 'line');
    return child;
  }

  test('of one peer under load: what fails was not sent, and all is well with the next process', async () => {
    const hosts = await freeHosts(2);
    const [here, there] = hosts as [string, string];
    const { app, grid } = await startApp(here, hosts);
    const events: GridEvent['type'][] = [];
    grid.events.subscribe(({ type }) => events.push(type));
    try {
      const first = await host(there, hosts);
      const peer = grid.peer(there);
      await peer.waitForConnect({ timeoutMs: 30_000 });

      const answers = new Set<number>();
      const failures: unknown[] = [];
      let done = 0;
      let loaded = true;
      const load = Array.from({ length: 20 }, async () => {
        while (loaded) {
          try {
            answers.add(await peer.request<number>(61));
            done++;
          } catch (error) {
            failures.push(error);
            await peer.waitForConnect({ timeoutMs: 30_000 });
          }
        }
      });
      await until(() => done >= 500);
      const ended = once(first, 'close');
      first.kill('SIGTERM');
      await ended;
      await host(there, hosts);
      await until(() => answers.size >= 2);
      loaded = false;
      await Promise.all(load);

      expect(failures.length).toBeGreaterThan(0);
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(GridError);
        expect(failure).toMatchObject({ code: 'UNAVAILABLE', notSent: true });
      }
      expect(events.filter((type) => type !== 'refused')).toEqual(['up', 'draining', 'down', 'restarted', 'up']);
    } finally {
      await app.close();
    }
  }, 80_000);
});
