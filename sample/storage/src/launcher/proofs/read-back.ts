import type { Cluster } from '../cluster.js';
import type { Ledger } from '../ledger.js';
import { megabytes } from '../progress.js';
import { runAll } from '../work-pool.js';

const WORKERS = 8;

/** Reads every object through another node than the one that the import wrote it through. */
export async function readBack(cluster: Cluster, ledger: Ledger): Promise<string> {
  await runAll(ledger.keys, WORKERS, async (key, index) => {
    ledger.check(key, await cluster.other(index).front.get(key));
  });
  return `${ledger.size} files, ${megabytes(ledger.bytes)}, all equal`;
}

/** Reads every object through the nodes that run. */
export async function readAllAlive(cluster: Cluster, ledger: Ledger): Promise<void> {
  const { alive } = cluster;
  await runAll(ledger.keys, WORKERS, async (key, index) => {
    ledger.check(key, await alive[index % alive.length]?.front.get(key));
  });
  for (const [index, key] of ledger.deletedKeys.entries()) {
    if (await alive[index % alive.length]?.front.exists(key)) throw new Error(`${key} was deleted and is there again`);
  }
}
