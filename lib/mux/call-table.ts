import type { MuxId } from '../wire/index.js';

/** Places of a new table; always a power of two. */
const LEAST_PLACES = 64;
/** Up to so many places are kept when the calls have gone: they come and go in bursts. */
const KEPT_PLACES = 1024;
/** Ids that differ in their last so many bits only stand side by side: 8 places are a line of the processor's cache. */
const BLOCK_BITS = 3;
const IN_BLOCK = 2 ** BLOCK_BITS - 1;

/**
 * Calls by muxId, as a Map would keep them, had it not one fault: a Map that takes as many out as in makes itself a new
 * table now and then, the old one points to the new one, and so one old table that the garbage collector has moved to
 * the old generation keeps alive all that follow, with every call that they ever held, until the next full collection.
 *
 * Open addressing, at most half full; each place is looked for from that of the key's hash on. Calls are opened one after
 * the other, so those of the moment stand close together, however large the table: beside 100,000 idle streams each look
 * at a place of its own was a cache miss, and each write one more for the garbage collector.
 */
export class CallTable<C> {
  private keys: (MuxId | undefined)[] = emptyPlaces(LEAST_PLACES);
  private calls: (C | undefined)[] = emptyPlaces(LEAST_PLACES);
  private count = 0;
  private readonly seed: number;

  /** `chance` in [0, 1): the peer chooses its ids, and must not choose where they stand. */
  constructor(chance: number) {
    this.seed = (chance * 2 ** 32) | 0;
  }

  get size(): number {
    return this.count;
  }

  has(id: MuxId): boolean {
    return this.keys[this.placeOf(id)] !== undefined;
  }

  get(id: MuxId): C | undefined {
    return this.calls[this.placeOf(id)];
  }

  set(id: MuxId, call: C): void {
    let place = this.placeOf(id);
    if (this.keys[place] === undefined) {
      if (2 * ++this.count > this.keys.length) {
        this.resize(2 * this.keys.length);
        place = this.placeOf(id);
      }
      this.keys[place] = id;
    }
    this.calls[place] = call;
  }

  delete(id: MuxId): void {
    const place = this.placeOf(id);
    if (this.keys[place] === undefined) return;
    this.count--;
    this.empty(place);
    if (this.keys.length > KEPT_PLACES && 16 * this.count < this.keys.length) this.resize(this.keys.length / 2);
  }

  /** Those that are in the table now: it may change meanwhile. By their ids, which is as they were opened. */
  values(): C[] {
    const ids = this.keys.filter((id) => id !== undefined);
    ids.sort((a, b) => (a < b ? -1 : 1));
    return ids.map((id) => this.get(id)!);
  }

  /** Where the key stands, or would. */
  private placeOf(id: MuxId): number {
    const { keys } = this;
    const mask = keys.length - 1;
    let place = this.hash(id) & mask;
    for (let key = keys[place]; key !== id && key !== undefined; key = keys[place]) place = (place + 1) & mask;
    return place;
  }

  /** Those behind an empty place move up, so that each is still found from its hash on without a gap. */
  private empty(place: number): void {
    const { keys, calls } = this;
    const mask = keys.length - 1;
    let gap = place;
    for (let next = (gap + 1) & mask; keys[next] !== undefined; next = (next + 1) & mask) {
      const home = this.hash(keys[next]!) & mask;
      // it may not stand before its home
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      keys[gap] = keys[next];
      calls[gap] = calls[next];
      gap = next;
    }
    keys[gap] = undefined;
    calls[gap] = undefined;
  }

  private resize(places: number): void {
    const { keys, calls } = this;
    this.keys = emptyPlaces(places);
    this.calls = emptyPlaces(places);
    for (let from = 0; from < keys.length; from++) {
      if (keys[from] === undefined) continue;
      const place = this.placeOf(keys[from]!);
      this.keys[place] = keys[from];
      this.calls[place] = calls[from];
    }
  }

  /** The place in its block, and in front of it bits of which each depends on all the rest of the key, and on the seed. */
  private hash(id: MuxId): number {
    const low = typeof id === 'bigint' ? Number(BigInt.asUintN(32, id)) : id;
    const high = typeof id === 'bigint' ? Number(id >> 32n) : id / 2 ** 32;
    let mixed = Math.imul(((low >>> BLOCK_BITS) ^ this.seed) + Math.imul(high, 0x9e3779b1), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) << BLOCK_BITS) | (low & IN_BLOCK);
  }
}

function emptyPlaces(count: number): undefined[] {
  const places: undefined[] = [];
  while (places.length < count) places.push(undefined);
  return places;
}
