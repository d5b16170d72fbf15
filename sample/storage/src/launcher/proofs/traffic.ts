import type { GridStats } from 'nestjs-grid';
import type { Cluster } from '../cluster.js';
import { megabytes } from '../progress.js';

/** What the nodes counted between them, one line per node, peer and grid. */
export async function traffic(cluster: Cluster): Promise<string[]> {
  const rows = [['node', 'grid', 'peer', 'calls out', 'calls in', 'errors', 'sent', 'received', 'mean', 'slowest p99']];
  for (const { number, front } of cluster.nodes) {
    const stats = await front.stats();
    for (const [grid, counted] of Object.entries(stats)) rows.push(...rowsOf(cluster, `node ${number}`, grid, counted));
  }
  return aligned(rows);
}

function rowsOf(cluster: Cluster, node: string, grid: string, stats: GridStats): string[][] {
  return stats.peers.map((peer) => {
    const outgoing = peer.handlers.filter(({ direction }) => direction === 'outgoing');
    const incoming = peer.handlers.filter(({ direction }) => direction === 'incoming');
    // a stream lasts as long as somebody reads it: only single requests tell a latency
    const requests = outgoing.filter(({ kind }) => kind === 'request');
    const total = sum(requests.map(({ latency }) => latency.count));
    const mean = sum(requests.map(({ latency }) => latency.count * latency.meanMs)) / Math.max(1, total);
    const errors = sum(outgoing.map((handler) => sum(Object.values(handler.errors))));
    return [
      node,
      grid,
      `node ${cluster.nodes.findIndex(({ url }) => url === peer.host)}`,
      String(sum(outgoing.map(({ calls }) => calls))),
      String(sum(incoming.map(({ calls }) => calls))),
      String(errors),
      megabytes(peer.bytesOut),
      megabytes(peer.bytesIn),
      `${mean.toFixed(2)} ms`,
      `${Math.max(0, ...requests.map(({ latency }) => latency.p99Ms)).toFixed(2)} ms`,
    ];
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The first columns are names, the others numbers. */
const NAMES = 3;

function aligned(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column < NAMES ? cell.padEnd(width) : cell.padStart(width);
    });
    return `  ${cells.join('  ')}`;
  });
}
