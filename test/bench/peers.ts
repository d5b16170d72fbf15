import { existsSync } from 'node:fs';
import { apiEntry, APIS, type ApiName } from './api-table.js';
import { hasBroker } from './broker.js';

const INSTALLED = new URL('../peers/node_modules/', import.meta.url);

/** Transports of others that can be measured here, and why those that cannot are left out. */
export interface Peers {
  readonly present: ReadonlySet<ApiName>;
  readonly leftOut: readonly string[];
}

export const NO_PEERS: Peers = { present: new Set(), leftOut: [] };

/** @throws Error where they are not installed; it says how that is done. */
export function findPeers(): Peers {
  if (!existsSync(INSTALLED)) throw new Error('--peers all: install them first: npm install --prefix test/bench/peers');
  const names = (Object.keys(APIS) as ApiName[]).filter((name) => apiEntry(name).peer);
  const missing = names.filter((name) => {
    const { broker } = apiEntry(name);
    return broker !== undefined && !hasBroker(broker);
  });
  const leftOut = missing.map((name) => `${name} (no ${apiEntry(name).broker})`);
  return { present: new Set(names.filter((name) => !missing.includes(name))), leftOut };
}
