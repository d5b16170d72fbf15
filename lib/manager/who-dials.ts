import { Buffer } from 'node:buffer';
import { xxh3_64 } from '../wire/index.js';

/**
 * True iff `local` is the one of the two that dials (wire spec §1). For two different names exactly one of them does.
 */
export function localDials(local: string, remote: string): boolean {
  const ours = xxh3_64(Buffer.from(local + remote));
  const theirs = xxh3_64(Buffer.from(remote + local));
  if (ours.hi !== theirs.hi) return ours.hi < theirs.hi;
  if (ours.lo !== theirs.lo) return ours.lo < theirs.lo;
  return Buffer.compare(Buffer.from(local), Buffer.from(remote)) < 0;
}
