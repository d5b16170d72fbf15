import type { Cluster } from '../../sample/storage/src/launcher/cluster.js';
import { compareDisks } from '../../sample/storage/src/launcher/disk-comparison.js';
import type { NodeProcess } from '../../sample/storage/src/launcher/node-process.js';
import { until } from '../../sample/storage/src/launcher/until.js';
import type { Holdings } from './probe.controller.js';

const CONNECTED_WITHIN_MS = 30_000;
const EQUAL_WITHIN_MS = 90_000;
const QUIET_WITHIN_MS = 30_000;
/** A heap may grow by what a warm program keeps, not with what it has done. */
const HEAP_GROWTH_BYTES = 16 * 1024 * 1024;
/** A timer more or less, and the connection over which it is asked. */
const MORE_RESOURCES = 3;

/** Each node has a connection with each, on both grids. Resolves with how many milliseconds that took. */
export async function connected({ nodes }: Cluster): Promise<number> {
  const begunAt = performance.now();
  await until(CONNECTED_WITHIN_MS, 'all nodes to be connected', async () => {
    for (const { number, front } of nodes) {
      const { data, locks } = await front.stats();
      const peers = [...data.peers, ...locks.peers];
      const away = peers.filter(({ state }) => state !== 'connected').map(({ host, state }) => `${host} ${state}`);
      if (away.length > 0 || peers.length !== 2 * (nodes.length - 1)) {
        throw new Error(`node ${number}: ${away.join(', ')}`);
      }
    }
  });
  return performance.now() - begunAt;
}

/** Nothing is left to heal, and the copies of each object are equal on the disks. */
export async function healed({ nodes }: Cluster): Promise<{ readonly ms: number; readonly copies: number }> {
  const begunAt = performance.now();
  return until(EQUAL_WITHIN_MS, 'all copies to be equal', async () => {
    for (const { number, front } of nodes) {
      const { heal } = await front.health();
      if (!heal.idle) throw new Error(`node ${number} heals: ${heal.error ?? 'a pass is due'}`);
    }
    const { copies } = await compareDisks(nodes);
    return { copies, ms: performance.now() - begunAt };
  });
}

/**
 * No call is open between the nodes, at either end. Each is looked at for itself: a call that is never over stays, and
 * they compare their disks now and then, each at its own time.
 */
export async function quiet({ nodes }: Cluster): Promise<void> {
  for (const node of nodes) {
    await until(QUIET_WITHIN_MS, `node ${node.number} to have no call open`, async () => {
      const { data, locks } = await node.front.stats();
      for (const { outgoing, incoming, running } of [...data.peers, data.self, ...locks.peers, locks.self]) {
        if (outgoing + incoming + running > 0) {
          throw new Error(`it has ${outgoing} calls out, ${incoming} in, ${running} handlers running`);
        }
      }
      const { openCalls } = await holdingsOf(node);
      if (openCalls > 0) throw new Error(`it made ${openCalls} calls that are not over`);
    });
  }
}

export async function holdingsOf(node: NodeProcess): Promise<Holdings> {
  const response = await fetch(`${node.url}/chaos/holdings`);
  return (await response.json()) as Holdings;
}

/** Throws when the node holds more than another, or itself, held before there was anything to leak. */
export async function asSmallAs(before: Holdings, node: NodeProcess): Promise<Holdings> {
  return until(QUIET_WITHIN_MS, `node ${node.number} to hold no more than before`, async () => {
    const now = await holdingsOf(node);
    const grown = Object.entries(now.resources).filter(
      ([kind, count]) => count > (before.resources[kind] ?? 0) + MORE_RESOURCES,
    );
    const heap = now.heapUsed - before.heapUsed;
    if (grown.length === 0 && heap <= HEAP_GROWTH_BYTES) return now;
    const [is, was] = [now.resources, before.resources].map((resources) => JSON.stringify(resources));
    throw new Error(`it holds ${megabytes(heap)} more heap; ${is}, before ${was}`);
  });
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
