import type { Cluster } from '../cluster.js';
import type { Ledger } from '../ledger.js';

/** Every node lists exactly what was stored, and under a prefix exactly what starts with it. */
export async function listing(cluster: Cluster, ledger: Ledger): Promise<string> {
  const prefix = longestFolder(ledger.keys);
  const below = ledger.keys.filter((key) => key.startsWith(prefix)).length;
  for (const { number, front } of cluster.alive) {
    ledger.checkAll(await front.list());
    const found = await front.list(prefix);
    if (found.length !== below) {
      throw new Error(`node ${number} lists ${found.length} of ${below} objects under ${prefix}`);
    }
  }
  return `${ledger.size} objects on each of ${cluster.alive.length} nodes, ${below} of them under ${prefix || '""'}`;
}

function longestFolder(keys: readonly string[]): string {
  const folders = keys.map((key) => key.slice(0, key.lastIndexOf('/') + 1));
  return folders.reduce((longest, folder) => (folder.length > longest.length ? folder : longest), '');
}
