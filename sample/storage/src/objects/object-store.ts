import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Disk } from '../disk/disk.js';
import { Disks } from '../disk/disks.js';
import { Locks } from '../lock/locks.js';
import { NODE_CONFIG, QUORUM, REPLICAS, type NodeConfig } from '../node/node-config.js';
import { contentOf, resumed } from './content.js';
import { pathOfKey, UPLOADS } from './object-path.js';
import { replicasOf } from './placement.js';
import { QuorumError } from './quorum-error.js';
import { encodeSeal, SEAL_BYTES, type Seal } from './seal.js';
import { copyOn, newestOf, type StoredCopy } from './stored-copy.js';
import { Upload } from './upload.js';
import { nextVersion } from './version.js';

/** What is told of an object. */
export interface ObjectInfo {
  key: string;
  size: number;
  sha256: string;
  version: string;
  type: string;
}

export function infoOf(key: string, { size, sha256, version, type }: Seal): ObjectInfo {
  return { key, size, sha256, version, type };
}

const NOTHING = createHash('sha256').digest('hex');

/**
 * Objects on three nodes each. A write and a read must each reach two of them, so that they share one: what was
 * acknowledged once is seen by everyone afterwards, also with any one node gone.
 */
@Injectable()
export class ObjectStore {
  constructor(
    private readonly disks: Disks,
    private readonly locks: Locks,
    @Inject(NODE_CONFIG) private readonly config: NodeConfig,
  ) {}

  /**
   * Stores the whole of `body` or, when it throws, nothing. The content goes to a temporary name on each node; only
   * its sealing and renaming happen under the write lock, so a slow client keeps nobody waiting.
   */
  async put(key: string, body: AsyncIterable<Uint8Array>, type = 'application/octet-stream'): Promise<ObjectInfo> {
    const path = pathOfKey(key);
    const disks = this.replicas(key);
    const upload = new Upload(disks, `${UPLOADS}/${randomUUID()}`, QUORUM);
    try {
      for await (const chunk of body) await upload.write(chunk);
      return await this.locks.under('write', key, async (lock) => {
        const [before] = newestOf(await this.copies(path, disks));
        const version = nextVersion(this.config.node, before?.seal.version);
        const seal: Seal = { version, size: upload.size, sha256: upload.sha256, deleted: false, type };
        await upload.write(encodeSeal(seal));
        const holders = await upload.finish();
        lock.check();
        await this.reach('write', holders, (disk) => commit(disk, upload.path, path));
        return infoOf(key, seal);
      });
    } catch (error) {
      upload.abort(error as Error);
      throw error;
    }
  }

  /** undefined: there is no such object. */
  async head(key: string): Promise<ObjectInfo | undefined> {
    const path = pathOfKey(key);
    return this.locks.under('read', key, async () => {
      const [newest] = newestOf(await this.copies(path, this.replicas(key)));
      return newest && !newest.seal.deleted ? infoOf(key, newest.seal) : undefined;
    });
  }

  /**
   * The newest version. The read lock is held until its first chunk is here: from then on the node that gives it has
   * the file open, and a new version takes its name, not its bytes. The content must be read or left (`return()`).
   */
  async get(key: string): Promise<{ info: ObjectInfo; content: AsyncIterable<Uint8Array> } | undefined> {
    const path = pathOfKey(key);
    return this.locks.under('read', key, async () => {
      const copies = newestOf(await this.copies(path, this.replicas(key)));
      const seal = copies[0]?.seal;
      if (!seal || seal.deleted) return undefined;
      copies.sort((a, b) => this.distance(a.disk) - this.distance(b.disk));
      const content = contentOf(path, copies);
      return { info: infoOf(key, seal), content: resumed(await content.next(), content) };
    });
  }

  /** Leaves a tombstone. False: there is no such object. */
  async delete(key: string): Promise<boolean> {
    const path = pathOfKey(key);
    const disks = this.replicas(key);
    return this.locks.under('write', key, async (lock) => {
      const [before] = newestOf(await this.copies(path, disks));
      if (!before || before.seal.deleted) return false;
      const version = nextVersion(this.config.node, before.seal.version);
      const tombstone = encodeSeal({ version, size: 0, sha256: NOTHING, deleted: true, type: '' });
      const part = `${UPLOADS}/${randomUUID()}`;
      lock.check();
      await this.reach('delete', disks, async (disk) => {
        await disk.writeAll(part, tombstone);
        await commit(disk, part, path);
      });
      return true;
    });
  }

  private replicas(key: string): Disk[] {
    const numbers = new Set(replicasOf(key, this.config.hosts.length, REPLICAS));
    return this.disks.all.filter((disk) => numbers.has(disk.node));
  }

  private async copies(path: string, disks: readonly Disk[]): Promise<(StoredCopy | undefined)[]> {
    return this.reach('look', disks, async (disk) => copyOn(disk, await disk.stat(path, SEAL_BYTES)));
  }

  /** Does one step on all disks; the results of those that did it, which must be a quorum. */
  private async reach<T>(what: string, disks: readonly Disk[], step: (disk: Disk) => Promise<T>): Promise<T[]> {
    const outcomes = await Promise.allSettled(disks.map(step));
    const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    if (done.length >= QUORUM) return done;
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    throw new QuorumError(what, done.length, QUORUM, failures);
  }

  /** The own disk is nearest. */
  private distance(disk: Disk): number {
    return disk.node === this.config.node ? 0 : 1;
  }
}

/** Where a newer object is there already, this one came and went: whoever reads sees the newer one. */
async function commit(disk: Disk, part: string, path: string): Promise<void> {
  if ((await disk.commit(part, path)) === 'missing') throw new Error(`node ${disk.node} lost the upload`);
}
