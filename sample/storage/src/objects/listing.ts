import { Injectable } from '@nestjs/common';
import type { WalkEntry } from '../contracts.js';
import { Disks } from '../disk/disks.js';
import { QUORUM, REPLICAS } from '../node/node-config.js';
import { mergeWalks } from './merge-walks.js';
import { keyOfPath, OBJECTS } from './object-path.js';
import { infoOf, type ObjectInfo } from './object-store.js';
import { SEAL_BYTES } from './seal.js';
import { copyOn, newestOf } from './stored-copy.js';
import { QuorumError } from './quorum-error.js';

/** Lists what is stored by walking all disks at once. */
@Injectable()
export class Listing {
  constructor(private readonly disks: Disks) {}

  /**
   * All objects whose key starts with `prefix`, in the order of their paths. Complete as long as at most one node is
   * missing, also one that is lost in the middle; with more it fails, it never just ends earlier.
   */
  async *list(prefix: string): AsyncGenerator<ObjectInfo, void, undefined> {
    const walks = tolerate(
      this.disks.all.map((disk) => disk.walk(OBJECTS, SEAL_BYTES)),
      REPLICAS - QUORUM,
    );
    for await (const { path, found } of mergeWalks(walks)) {
      const key = keyOfPath(path);
      if (key === undefined || !key.startsWith(prefix)) continue;
      const [newest] = newestOf(found.map((stat, node) => copyOn(this.disks.all[node]!, stat)));
      if (newest && !newest.seal.deleted) yield infoOf(key, newest.seal);
    }
  }
}

/** Lets at most `most` of the walks fail: they end then. One more, and all fail. */
function tolerate(walks: readonly AsyncIterable<WalkEntry>[], most: number): AsyncIterable<WalkEntry>[] {
  const failures: unknown[] = [];
  return walks.map(async function* (walk) {
    try {
      yield* walk;
    } catch (error) {
      failures.push(error);
      if (failures.length > most) {
        throw new QuorumError('listing', walks.length - failures.length, walks.length - most, failures);
      }
    }
  });
}
