import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { LocalDisk } from '../../disk/local-disk.js';
import { REPLICAS } from '../../node/node-config.js';
import { keyOfPath, OBJECTS } from '../../objects/object-path.js';
import { decodeSeal, SEAL_BYTES, type Seal } from '../../objects/seal.js';
import type { Cluster } from '../cluster.js';
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
    const copies = await compareDisks(cluster, ledger);
    await readAllAlive(cluster, ledger);
    return `${heal.repaired} objects fetched, ${copies} copies on ${cluster.nodes.length} disks equal byte for byte`;
  });
}

/** Throws unless each object is on exactly three disks, in equal files whose content is what was acknowledged. */
async function compareDisks(cluster: Cluster, ledger: Ledger): Promise<number> {
  const found = new Map<string, { copies: number; sha256: string; seal: Seal }>();
  let copies = 0;
  for (const { number, dataFolder } of cluster.nodes) {
    for await (const { path, size, tail } of new LocalDisk(number, dataFolder).walk(OBJECTS, SEAL_BYTES)) {
      const seal = decodeSeal(size, tail);
      if (!seal) throw new Error(`node ${number}: ${path} is no whole object`);
      const { whole, content } = await hashesOf(join(dataFolder, path), seal.size);
      if (content !== seal.sha256) throw new Error(`node ${number}: ${path} does not match its checksum`);
      const known = found.get(path);
      if (known && known.sha256 !== whole) {
        throw new Error(`node ${number} has another ${path} than the nodes before it`);
      }
      found.set(path, { copies: (known?.copies ?? 0) + 1, sha256: whole, seal });
      copies++;
    }
  }
  const objects = [];
  for (const [path, { copies: count, seal }] of found) {
    if (count !== REPLICAS) throw new Error(`${path} is on ${count} disks`);
    if (!seal.deleted) objects.push({ key: keyOfPath(path) ?? path, size: seal.size, sha256: seal.sha256 });
  }
  ledger.checkAll(objects);
  return copies;
}

async function hashesOf(file: string, contentBytes: number): Promise<{ whole: string; content: string }> {
  const whole = createHash('sha256');
  const content = createHash('sha256');
  let left = contentBytes;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    whole.update(chunk);
    content.update(chunk.subarray(0, left));
    left = Math.max(0, left - chunk.length);
  }
  return { whole: whole.digest('hex'), content: content.digest('hex') };
}
