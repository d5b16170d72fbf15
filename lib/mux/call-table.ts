import type { MuxId } from '../wire/index.js';
import { BlockTable } from './block-table.js';

/** Places for young calls at first; always a power of two. */
const LEAST_PLACES = 16;
/** The most: twice the calls of a busy connection. */
const MOST_PLACES = 512;
/** No call has this id. */
const NONE = -1;

/**
 * Calls by muxId. Ids are counted up, so the calls of the moment differ in their last bits: these tell the place of
 * each in an array that a processor keeps at hand, without a hash. A call whose place is wanted by a younger one moves
 * to the blocks of the older ones, where those of the moment are not disturbed by however many others there are: in one
 * large table beside 100,000 idle streams each look was a cache miss.
 */
export class CallTable<C> {
  private young: (C | undefined)[] = filled(LEAST_PLACES, undefined);
  /** Whose place it is, or was last: whatever has that id stands there, or is not in the table. */
  private ids: number[] = filled(LEAST_PLACES, NONE);
  private youngCount = 0;
  private readonly older: BlockTable<C>;
  /** No greater id stands there: most that are asked for and unknown are new ones. */
  private greatestOlder = NONE;

  /** `chance` in [0, 1): the peer chooses its ids, and must not choose where they stand. */
  constructor(chance: number) {
    this.older = new BlockTable(chance);
  }

  get size(): number {
    return this.youngCount + this.older.size;
  }

  has(id: MuxId): boolean {
    return this.get(id) !== undefined;
  }

  get(id: MuxId): C | undefined {
    if (typeof id === 'number') {
      const place = this.placeOf(id);
      if (this.ids[place] === id) return this.young[place];
      if (id > this.greatestOlder) return undefined;
    }
    return this.older.get(id);
  }

  /** Adds a call whose id none in the table has. */
  add(id: MuxId, call: C): void {
    if (typeof id === 'bigint') {
      this.older.set(id, call);
      return;
    }
    if (this.young[this.placeOf(id)] !== undefined && this.crowded) this.grow();
    const place = this.placeOf(id);
    const old = this.young[place];
    if (old === undefined) this.youngCount++;
    else this.keep(this.ids[place]!, old);
    this.young[place] = call;
    this.ids[place] = id;
  }

  /** Puts a call in the place of the one that has its id. */
  replace(id: MuxId, call: C): void {
    if (typeof id === 'number' && this.ids[this.placeOf(id)] === id) this.young[this.placeOf(id)] = call;
    else this.older.set(id, call);
  }

  delete(id: MuxId): void {
    if (typeof id === 'number') {
      const place = this.placeOf(id);
      if (this.ids[place] === id) {
        if (this.young[place] === undefined) return;
        this.young[place] = undefined;
        this.youngCount--;
        return;
      }
    }
    this.older.delete(id);
  }

  /** Those that are in the table now: it may change meanwhile. By their ids, which is as they were opened. */
  values(): C[] {
    const entries = this.older.entries();
    this.young.forEach((call, place) => {
      if (call !== undefined) entries.push([this.ids[place]!, call]);
    });
    return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, call]) => call);
  }

  /** Moves a call to the older ones. */
  private keep(id: number, call: C): void {
    this.greatestOlder = this.older.size === 0 ? id : Math.max(this.greatestOlder, id);
    this.older.set(id, call);
  }

  private placeOf(id: number): number {
    return id & (this.ids.length - 1);
  }

  /** More than a quarter of the places are taken, and there may be more of them. */
  private get crowded(): boolean {
    return this.ids.length < MOST_PLACES && 4 * this.youngCount > this.ids.length;
  }

  /** Twice as many places: those of one place go apart. */
  private grow(): void {
    const { young, ids } = this;
    this.young = filled(2 * ids.length, undefined);
    this.ids = filled(2 * ids.length, NONE);
    young.forEach((call, place) => {
      if (call === undefined) return;
      const now = this.placeOf(ids[place]!);
      this.young[now] = call;
      this.ids[now] = ids[place]!;
    });
  }
}

function filled<T>(count: number, value: T): T[] {
  const places: T[] = [];
  while (places.length < count) places.push(value);
  return places;
}
