import { readNodeConfig } from './node/node-config.js';
import { superviseNode } from './node/supervision.js';
import { startNode } from './node/storage-node.js';

// One node, configured by its environment: see node/node-config.ts. `start.ts` starts a whole cluster of them.
await superviseNode(async () => {
  const verbose = process.env.STORAGE_VERBOSE === '1';
  return startNode(readNodeConfig(process.env), verbose ? ['debug', 'log', 'warn', 'error', 'fatal'] : ['error', 'fatal']);
});
