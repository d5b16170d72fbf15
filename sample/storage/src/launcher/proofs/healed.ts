import type { Cluster } from '../cluster.js';
import { compareDisks } from '../disk-comparison.js';
import type { Ledger } from '../ledger.js';
import type { NodeProcess } from '../node-process.js';
import { until } from '../until.js';
import { readAllAlive } from './read-back.js';

const HEAL_WITHIN_MS = 60_000;

/** Starts the killed node again and looks, on the disks themselves, whether it has all that it should have. */
export async function healed(cluster: Cluster, ledger: Ledger, victim: NodeProcess): Promise<string> {
  await victim.start();
  return until(HEAL_WITHIN_MS, `node ${victim.number} to be healed`, async () => {
    const { heal } = await victim.front.health();
    if (!heal.idle) throw new Error(`it is not done${heal.error === undefined ? '' : `: ${heal.error}`}`);
    const { copies, objects } = await compareDisks(cluster.nodes);
    ledger.checkAll(objects);
    await readAllAlive(cluster, ledger);
    return `${heal.repaired} objects fetched, ${copies} copies on ${cluster.nodes.length} disks equal byte for byte`;
  });
}
