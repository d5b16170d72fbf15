import type { FileStat } from '../contracts.js';
import type { Disk } from '../disk/disk.js';
import { decodeSeal, type Seal } from './seal.js';

/** One node's copy of an object. */
export interface StoredCopy {
  readonly disk: Disk;
  readonly seal: Seal;
}

/** What a disk has at an object's path: undefined when nothing, or nothing whole. */
export function copyOn(disk: Disk, stat: FileStat | undefined): StoredCopy | undefined {
  const seal = stat && decodeSeal(stat.size, stat.tail);
  return seal && { disk, seal };
}

/** The copies of the newest version, none where there is no copy at all. */
export function newestOf(copies: Iterable<StoredCopy | undefined>): StoredCopy[] {
  let newest: StoredCopy[] = [];
  for (const copy of copies) {
    if (!copy) continue;
    const best = newest[0]?.seal.version ?? '';
    if (copy.seal.version > best) newest = [copy];
    else if (copy.seal.version === best) newest.push(copy);
  }
  return newest;
}
