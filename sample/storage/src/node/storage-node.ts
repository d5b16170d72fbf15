import { Logger, type DynamicModule, type INestApplication, type LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connectGrid } from 'nestjs-grid';
import { AppModule } from '../app.module.js';
import { LOCK_GRID } from '../contracts.js';
import { Deployment } from '../format/deployment.js';
import { HealSchedule } from '../heal/heal-schedule.js';
import { localOrigin, type NodeConfig } from './node-config.js';
import { withTimeLimit } from './time-limit.js';

const CLOSE_WITHIN_MS = 5_000;
const logger = new Logger('StorageNode');

/**
 * Starts one node and resolves when it serves; rejects, with everything closed again, when it cannot join. `root` is
 * the app's module or one that imports it.
 */
export async function startNode(
  config: NodeConfig,
  logLevels: LogLevel[],
  root: DynamicModule = AppModule.for(config),
): Promise<INestApplication> {
  // objects are any bytes: no parser may touch a body
  const app = await NestFactory.create(root, {
    bodyParser: false,
    logger: logLevels,
    abortOnError: false,
  });
  try {
    await connectGrid(app);
    await connectGrid(app, { grid: LOCK_GRID });
    const { hostname, port } = new URL(localOrigin(config));
    await app.listen(config.listenPort ?? Number(port), hostname);
    await app.get(Deployment).agree();
    app.get(HealSchedule).start();
  } catch (error) {
    // a client that sends slowly keeps a server from closing: why the start failed must be told all the same
    await withTimeLimit(CLOSE_WITHIN_MS, 'the node to close', app.close()).catch((late: Error) =>
      logger.warn(late.message),
    );
    throw error;
  }
  logger.log(`node ${config.node} serves ${localOrigin(config)}`);
  return app;
}
