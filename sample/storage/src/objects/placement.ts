import { createHash } from 'node:crypto';

/**
 * All nodes, the best place for the key first (rendezvous hashing): each node gets a score from a hash of its number
 * and the key. Every node computes the same order and no table is kept; a node more would move only what it wins.
 */
export function rank(key: string, nodes: number): number[] {
  const scored = Array.from({ length: nodes }, (_, node) => ({ node, score: score(node, key) }));
  scored.sort((a, b) => b.score - a.score || a.node - b.node);
  return scored.map(({ node }) => node);
}

/** The nodes that keep copies of the key. */
export function replicasOf(key: string, nodes: number, copies: number): number[] {
  return rank(key, nodes).slice(0, copies);
}

function score(node: number, key: string): number {
  return createHash('sha256').update(`${node}\0${key}`).digest().readUIntBE(0, 6);
}
