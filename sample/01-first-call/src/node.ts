import { ShutdownSignal } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connectGrid } from 'nestjs-grid';
import { AppModule } from './app.module.js';
import { Inventory } from './inventory.js';

// an ordinary Nest HTTP app; one line puts the grid on the same port
const app = await NestFactory.create(AppModule, { logger: ['error'] });
await connectGrid(app);
app.enableShutdownHooks([ShutdownSignal.SIGTERM, ShutdownSignal.SIGINT]);
await app.listen(new URL(process.env.GRID_LOCAL!).port);

await app.get(Inventory).look();
process.send?.('looked');
