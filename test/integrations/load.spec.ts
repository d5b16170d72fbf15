import { describe, expect, test } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { GridModule } from 'nestjs-grid';
import { GridTracingModule } from 'nestjs-grid/otel';
import { GridMetricsModule } from 'nestjs-grid/prometheus';
import { GridHealthIndicator } from 'nestjs-grid/terminus';
import { Registry } from 'prom-client';
import { SECRET } from '../nest/test-app.js';
import { run } from '../project/process.js';
import { ROOT } from '../project/sources.js';

/** What each integration gives. */
const GIVES = {
  otel: ['GridTracingModule', 'traceGrid'],
  prometheus: ['GridMetricsModule', 'collectGridMetrics'],
  terminus: ['GridHealthIndicator'],
};

describe('the integrations', () => {
  test('load in plain Node, by import and by require, and are one with the core', async () => {
    const script = `
      const { createRequire } = await import('node:module');
      const require = createRequire(${JSON.stringify(`${ROOT}/package.json`)});
      const given = {};
      for (const name of ${JSON.stringify(Object.keys(GIVES))}) {
        const [imported, required] = [await import('nestjs-grid/' + name), require('nestjs-grid/' + name)];
        given[name] = Object.keys(imported).filter((key) => imported[key] === required[key]).sort();
      }
      console.log(JSON.stringify(given));`;
    const ran = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toEqual(GIVES);
  });

  test('find a grid by its name, one that is not global too', async () => {
    class AppModule {}
    const [local, other] = ['http://127.0.0.1:1', 'http://127.0.0.1:2'] as const;
    const locks = { name: 'locks', isGlobal: false, local, hosts: [local, other], auth: { secret: SECRET } };
    const registry = new Registry();
    Module({
      imports: [
        GridModule.forRoot(locks),
        GridTracingModule.forRoot({ grid: 'locks' }),
        GridMetricsModule.forRoot({ grid: 'locks', registry }),
        TerminusModule,
      ],
      providers: [GridHealthIndicator],
    })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    expect(await registry.metrics()).toContain(`grid_peer_reconnects_total{grid="locks",peer="${other}"} 0`);
    await expect(app.get(GridHealthIndicator).isHealthy('locks', { grid: 'locks' })).resolves.toMatchObject({
      locks: { status: 'down', peers: { [other]: { state: 'connecting' } } },
    });
    await app.close();
    expect(await registry.metrics()).toBe('\n');
  });
});
