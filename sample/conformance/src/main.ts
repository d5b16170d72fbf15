import 'reflect-metadata';
import { ShutdownSignal } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { connectGrid } from 'nestjs-grid';
import { ConformanceModule } from './conformance.module.js';
import { settingsOf } from './settings.js';
import { StderrLogger } from './stderr-logger.js';

const settings = settingsOf(process.env);
const logger = new StderrLogger();
const app = await NestFactory.create<NestExpressApplication>(ConformanceModule.of(settings), {
  logger,
  forceCloseConnections: true, // a TCP connection that never asks for anything must not keep the process
});
// the largest payload that the grid takes, as base64 and with the rest of its body; whatever type it is said to have,
// for `curl -d` says that of a form
app.useBodyParser('json', { limit: '24mb', type: () => true });
app.enableShutdownHooks([ShutdownSignal.SIGTERM, ShutdownSignal.SIGINT], { useProcessExit: true });
await connectGrid(app);
await app.listen(settings.port, settings.hostname);
process.stdout.write(`${JSON.stringify({ ready: true, local: settings.local })}\n`);
