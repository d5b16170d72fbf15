import { expect, test } from '@jest/globals';
import { run } from '../project/process.js';
import { ROOT } from '../project/sources.js';
import { freeHosts } from '../ports.js';

/** Two apps in one process of plain Node, with calls between them; `ending` should leave it nothing to do. */
const program = (hosts: readonly string[], ending: string): string => `
  import 'reflect-metadata';
  import { Controller, Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { MessagePattern } from '@nestjs/microservices';
  import { connectGrid, Grid, GridModule } from 'nestjs-grid';
  const hosts = ${JSON.stringify(hosts)};
  class Echo { echo(payload) { return payload; } never() { return new Promise(() => {}); } }
  for (const [id, name] of [[60, 'echo'], [61, 'never']]) {
    MessagePattern(id)(Echo.prototype, name, Object.getOwnPropertyDescriptor(Echo.prototype, name));
  }
  Controller()(Echo);
  const apps = [];
  for (const local of hosts) {
    class AppModule {}
    const auth = { secret: 'a secret of at least thirty-two bytes!' };
    const grid = GridModule.forRoot({ local, hosts, auth, drainTimeoutMs: 100 });
    Module({ imports: [grid], controllers: [Echo] })(AppModule);
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    app.enableShutdownHooks();
    await connectGrid(app);
    await app.listen(Number(new URL(local).port), '127.0.0.1');
    apps.push(app);
  }
  const peer = apps[0].get(Grid).peer(hosts[1]);
  await peer.waitForConnect({ timeoutMs: 30_000 });
  console.log(await peer.request(60, 'called'));
  peer.request(61).catch((error) => console.log(error.code));
  const call = peer.stream(60, 'streamed');
  await call[Symbol.asyncIterator]().next();
  ${ending}
`;

async function outputOf(ending: string): Promise<{ stdout: string; code: number | null }> {
  const hosts = await freeHosts(2);
  const source = program(hosts, ending);
  const { code, stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', source], {
    cwd: ROOT,
    hangMs: 30_000,
  });
  expect(stderr).toBe('');
  return { code, stdout };
}

test('nothing of the grid keeps a process alive after app.close(), running calls included', async () => {
  const { code, stdout } = await outputOf("await Promise.all(apps.map((app) => app.close())); console.log('closed');");
  expect(stdout.trim().split('\n').sort()).toEqual(['UNAVAILABLE', 'called', 'closed']);
  expect(code).toBe(0);
});

test('SIGTERM ends a process with shutdown hooks', async () => {
  const { code, stdout } = await outputOf("process.kill(process.pid, 'SIGTERM');");
  expect(stdout).toContain('called');
  // killed by the signal it was sent, as Nest hands it on: no exit code, and not by the hang budget, which is SIGKILL
  expect(code).toBeNull();
}, 60_000);
