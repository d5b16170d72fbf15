import { NestFactory } from '@nestjs/core';
import { connectGrid, Grid } from 'nestjs-grid';
import { AppModule } from './app.module.js';
import { Shop } from './shop.js';

// the app that the two specs test, as it really runs
const port = Number(process.env.PORT ?? 9001);
const hosts = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
const apps = await Promise.all(
  hosts.map(async (local) => {
    const app = await NestFactory.create(AppModule.at(local, hosts), { logger: ['error'] });
    await connectGrid(app);
    await app.listen(new URL(local).port);
    return app;
  }),
);
await apps[0]!.get(Grid).peers[0]!.waitForConnect();

const shop = apps[0]!.get(Shop);
console.log(await shop.buy('lamp', 2));
console.log(await shop.buy('lamp', 2));

if (process.argv.includes('--once')) await Promise.all(apps.map((app) => app.close()));
