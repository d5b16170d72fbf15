import type { LogLevel } from '@nestjs/common';
import { readNodeConfig } from './node/node-config.js';
import { superviseNode } from './node/supervision.js';
import { startNode } from './node/storage-node.js';

// One node, configured by its environment: see node/node-config.ts. `start.ts` starts a whole cluster of them.
await superviseNode(async () => {
  const told: LogLevel[] = process.env.STORAGE_VERBOSE === '1' ? ['debug', 'log', 'warn'] : [];
  return startNode(readNodeConfig(process.env), [...told, 'error', 'fatal']);
});
