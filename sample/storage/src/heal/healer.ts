import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { WalkEntry } from '../contracts.js';
import type { Disk } from '../disk/disk.js';
import { Disks } from '../disk/disks.js';
import { LocalDisk } from '../disk/local-disk.js';
import { Locks } from '../lock/locks.js';
import type { HeldLock } from '../lock/quorum-lock.js';
import { NODE_CONFIG, REPLICAS, type NodeConfig } from '../node/node-config.js';
import { mergeWalks } from '../objects/merge-walks.js';
import { keyOfPath, OBJECTS, UPLOADS } from '../objects/object-path.js';
import { replicasOf } from '../objects/placement.js';
import { decodeSeal, SEAL_BYTES } from '../objects/seal.js';
import { copyOn, newestOf, type StoredCopy } from '../objects/stored-copy.js';

/** Repairs that run at the same time. */
const WORKERS = 4;
/** A temporary file this old belongs to a writer that died. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

export interface HealReport {
  /** Paths looked at. */
  compared: number;
  /** Objects (and tombstones) fetched from other nodes. */
  repaired: number;
  /** Nodes whose disk could not be compared, with the reason. */
  skipped: { node: number; why: string }[];
}

/** Brings this node's disk up to date with the others: it fetches what it should have and does not, or has too old. */
@Injectable()
export class Healer {
  constructor(
    private readonly own: LocalDisk,
    private readonly disks: Disks,
    private readonly locks: Locks,
    @Inject(NODE_CONFIG) private readonly config: NodeConfig,
  ) {}

  /** One comparison with all nodes that answer. Rejects when one of them is lost on the way: then it is not done. */
  async heal(): Promise<HealReport> {
    await this.sweepUploads();
    const report: HealReport = { compared: 0, repaired: 0, skipped: [] };
    const sources: Disk[] = [this.own, ...(await this.answering(report))];
    const merged = mergeWalks<WalkEntry>(sources.map((disk) => disk.walk(OBJECTS, SEAL_BYTES)));
    const worker = async (): Promise<void> => {
      for await (const { path, found } of sharing(merged)) {
        report.compared++;
        const copies = found.map((stat, index) => copyOn(sources[index]!, stat));
        if (await this.repair(path, copies)) report.repaired++;
      }
    };
    try {
      await Promise.all(Array.from({ length: WORKERS }, worker));
    } finally {
      await merged.return();
    }
    return report;
  }

  private async answering(report: HealReport): Promise<Disk[]> {
    const others = this.disks.all.filter((disk) => disk.node !== this.config.node);
    const answers = await Promise.allSettled(others.map((disk) => disk.info(true)));
    return others.filter((disk, index) => {
      const answer = answers[index];
      if (answer?.status !== 'rejected') return true;
      report.skipped.push({ node: disk.node, why: (answer.reason as Error).message });
      return false;
    });
  }

  /** True when a newer copy was fetched. */
  private async repair(path: string, [own, ...others]: (StoredCopy | undefined)[]): Promise<boolean> {
    const key = keyOfPath(path);
    const newest = newestOf(others);
    const version = newest[0]?.seal.version;
    if (key === undefined || version === undefined || version <= (own?.seal.version ?? '')) return false;
    if (!replicasOf(key, this.config.hosts.length, REPLICAS).includes(this.config.node)) return false;
    // a writer may be about to commit something newer still, so the comparison is made once more under its lock
    return this.locks.under('write', key, async (lock) => {
      let failure: unknown;
      for (const { disk } of newest) {
        try {
          return await this.fetch(path, disk, lock);
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    });
  }

  private async fetch(path: string, source: Disk, lock: HeldLock): Promise<boolean> {
    const [mine, theirs] = await Promise.all([this.own.stat(path, SEAL_BYTES), source.stat(path, SEAL_BYTES)]);
    const version = copyOn(source, theirs)?.seal.version ?? '';
    if (version <= (copyOn(this.own, mine)?.seal.version ?? '')) return false;
    const part = `${UPLOADS}/${randomUUID()}`;
    await this.own.create(part, verified(path, source.read(path)));
    lock.check();
    return (await this.own.commit(part, path)) === 'committed';
  }

  private async sweepUploads(): Promise<void> {
    for await (const { path, modifiedMs } of this.own.walk(UPLOADS)) {
      if (Date.now() - modifiedMs > ABANDONED_AFTER_MS) await this.own.delete(path);
    }
  }
}

/** Passes a whole object file on; its last step throws unless the seal fits the content. */
async function* verified(path: string, file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  let size = 0;
  let held = Buffer.alloc(0);
  for await (const chunk of file) {
    size += chunk.length;
    // the last bytes seen so far may be the seal, which the checksum does not cover
    held = Buffer.concat([held, chunk]);
    const content = Math.max(0, held.length - SEAL_BYTES);
    hash.update(held.subarray(0, content));
    held = held.subarray(content);
    yield chunk;
  }
  if (decodeSeal(size, held)?.sha256 !== hash.digest('hex')) {
    throw new Error(`a copy of ${path} does not match its checksum`);
  }
}

/** Lets several workers take from one iterator: a worker that stops does not end it for the others. */
function sharing<T>(source: AsyncGenerator<T, void, undefined>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => ({ next: () => source.next() }) };
}
