import { NestFactory } from '@nestjs/core';
import { connectGrid, getGridToken, Grid, type GridPeer } from 'nestjs-grid';
import { AppModule, hosts } from './app.module.js';
import { StoreBlock } from './bulk.controller.js';
import { Lock } from './lock.controller.js';

const apps = await Promise.all(
  hosts.map(async (local) => {
    const app = await NestFactory.create(AppModule.at(local), { logger: ['error'] });
    await connectGrid(app, { grid: 'default' });
    await connectGrid(app, { grid: 'locks' });
    await app.listen(new URL(local).port);
    return app;
  }),
);
const bulk = apps[0]!.get(Grid).peer(hosts[1]);
const locks = apps[0]!.get<Grid>(getGridToken('locks')).peer(hosts[1]);
await Promise.all([bulk.waitForConnect(), locks.waitForConnect()]);

// 24 blocks of 1 MiB leave at once, then a lock is asked for on each of the two grids
const BLOCKS = 24;
let stored = 0;
const block = new Uint8Array(2 ** 20);
const stores = Array.from({ length: BLOCKS }, async () => {
  await bulk.request(StoreBlock, block);
  stored++;
});

async function ask(name: string, peer: GridPeer): Promise<void> {
  const start = performance.now();
  const granted = await peer.request(Lock, name);
  const ms = (performance.now() - start).toFixed(1);
  console.log(`${name}: ${granted ? 'granted' : 'refused'} after ${ms} ms, behind ${stored} of ${BLOCKS} blocks`);
}
await Promise.all([ask('over the bulk grid', bulk), ask('over the lock grid', locks)]);
await Promise.all(stores);

if (process.argv.includes('--once')) await Promise.all(apps.map((app) => app.close()));
