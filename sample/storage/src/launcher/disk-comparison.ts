import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { LocalDisk } from '../disk/local-disk.js';
import { REPLICAS } from '../node/node-config.js';
import { keyOfPath, OBJECTS } from '../objects/object-path.js';
import { decodeSeal, SEAL_BYTES, type Seal } from '../objects/seal.js';
import type { NodeProcess } from './node-process.js';

/** What lies on the disks. */
export interface DiskContent {
  /** Files, tombstones included. */
  readonly copies: number;
  /** Objects that are not deleted. */
  readonly objects: readonly { readonly key: string; readonly size: number; readonly sha256: string }[];
}

/** Reads the disks themselves. Throws unless each object is on exactly three, in equal files that fit their seals. */
export async function compareDisks(nodes: readonly NodeProcess[]): Promise<DiskContent> {
  const found = new Map<string, { copies: number; sha256: string; seal: Seal }>();
  let copies = 0;
  for (const { number, dataFolder } of nodes) {
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
  return { copies, objects };
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
