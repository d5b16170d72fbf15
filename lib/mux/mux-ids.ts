import type { MuxId } from '../wire/index.js';

/** The engine keeps integers up to here in place, without an allocation, and finds them fastest in a table. */
const SMALL_INTEGERS = 2 ** 31 - 1;
/** Ids start somewhere in the first 2^30, so that the two ends of a connection hardly ever use the same ones (H1). */
const START_RANGE = 2 ** 30;

/** Numbers for the calls of one end: never 0, never one in use, always exact as a plain number. */
export class MuxIds {
  private last: number;

  constructor(
    chance: number,
    private readonly max = SMALL_INTEGERS,
  ) {
    this.last = Math.floor(chance * Math.min(START_RANGE, max));
  }

  next(inUse: { has(id: MuxId): boolean }): number {
    do {
      this.last = this.last >= this.max ? 1 : this.last + 1;
    } while (inUse.has(this.last));
    return this.last;
  }
}
