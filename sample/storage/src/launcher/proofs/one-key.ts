import { createHash, randomBytes } from 'node:crypto';
import type { ObjectInfo } from '../../objects/object-store.js';
import type { Cluster } from '../cluster.js';
import type { Ledger } from '../ledger.js';

const KEY = 'contended/one-key';
const WRITERS = 20;
const ROUNDS = 2;
const CONTENT_BYTES = 200_000;

/** Many writers replace one object through all nodes while readers read it: each read is one writer's whole content. */
export async function oneKey(cluster: Cluster, ledger: Ledger): Promise<string> {
  const written = new Set<string>();
  const acknowledged: ObjectInfo[] = [];
  const before = await cluster.node(0).front.get(KEY);
  if (before) written.add(before.sha256);
  const write = async (writer: number): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const content = randomBytes(CONTENT_BYTES + writer);
      // known before it is sent: it may be read before it is acknowledged
      written.add(createHash('sha256').update(content).digest('hex'));
      acknowledged.push(await cluster.node(writer % cluster.nodes.length).front.put(KEY, content));
    }
  };

  let writing = true;
  let reads = 0;
  const read = async (node: number): Promise<void> => {
    while (writing) {
      const found = await cluster.node(node).front.get(KEY);
      if (!found) continue;
      reads++;
      if (!written.has(found.sha256)) throw new Error(`node ${node} gave a torn object of ${found.size} bytes`);
    }
  };

  const readers = Promise.all(cluster.nodes.map(({ number }) => read(number)));
  try {
    await Promise.all([
      readers,
      Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer))).finally(() => (writing = false)),
    ]);
  } finally {
    writing = false;
  }

  const last = acknowledged.reduce((newest, info) => (info.version > newest.version ? info : newest));
  if (new Set(acknowledged.map(({ version }) => version)).size !== acknowledged.length) {
    throw new Error('two writes got one version');
  }
  ledger.stored(KEY, last.size, last.sha256);
  for (const { front } of cluster.nodes) ledger.check(KEY, await front.get(KEY));
  const writes = `${acknowledged.length} writes by ${WRITERS} writers`;
  return `${writes}, ${reads} reads meanwhile, none torn, all nodes show the last one`;
}
