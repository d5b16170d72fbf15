import { createHash, randomBytes } from 'node:crypto';
import { until } from '../until.js';
import type { Cluster } from '../cluster.js';
import type { Ledger } from '../ledger.js';
import type { NodeProcess } from '../node-process.js';
import { runAll } from '../work-pool.js';
import { readAllAlive } from './read-back.js';

const WRITES = 240;
const WORKERS = 8;
const LARGEST = 96 * 1024;
/** How many objects are written again and deleted while a node is down: what it must not bring back. */
const CHANGED = 20;
/** A write is tried again through another node for this long; a lock of the dead node must run out meanwhile. */
const WRITE_WITHIN_MS = 60_000;

/**
 * Writes through all nodes and kills one of them in the middle. What was acknowledged, before or after, must be there;
 * what was not is tried again through a node that lives.
 */
export async function powerCut(cluster: Cluster, ledger: Ledger, victim: NodeProcess): Promise<string> {
  let acknowledged = 0;
  let failures = 0;
  let killed: Promise<void> | undefined;
  const keys = Array.from({ length: WRITES }, (_, index) => `power-cut/${String(index).padStart(4, '0')}.bin`);

  const write = async (key: string, index: number): Promise<void> => {
    const content = randomBytes(1 + Math.floor(Math.random() * LARGEST));
    let attempt = index;
    const stored = await until(WRITE_WITHIN_MS, `${key} to be stored`, async () => {
      const { alive } = cluster;
      try {
        return await alive[attempt++ % alive.length]!.front.put(key, content);
      } catch (error) {
        failures++;
        throw error;
      }
    });
    const sha256 = createHash('sha256').update(content).digest('hex');
    if (stored.sha256 !== sha256) throw new Error(`${key} was acknowledged with another checksum`);
    ledger.stored(key, content.length, sha256);
    acknowledged++;
    // in the middle of the other workers' writes
    if (acknowledged === WRITES / 3) killed = victim.kill();
  };

  await runAll(keys, WORKERS, write);
  if (!killed) throw new Error('the node was not killed');
  await killed;
  await runAll(keys.slice(0, CHANGED), WORKERS, write);
  await runAll(keys.slice(CHANGED, 2 * CHANGED), WORKERS, async (key, index) => {
    const { alive } = cluster;
    if (!(await alive[index % alive.length]!.front.delete(key))) throw new Error(`${key} could not be deleted`);
    ledger.deleted(key);
  });
  await readAllAlive(cluster, ledger);
  const writes = `node ${victim.number} killed after ${WRITES / 3} of ${acknowledged} writes, ${failures} tried again`;
  return `${writes}, ${CHANGED} deleted, all ${ledger.size} objects there`;
}
