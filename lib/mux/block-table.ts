import type { MuxId } from '../wire/index.js';

/** Ids that differ in their last so many bits only stand in one block. */
const BLOCK_BITS = 4;
const BLOCK_CALLS = 2 ** BLOCK_BITS;
const IN_BLOCK = BLOCK_CALLS - 1;

/** Places of a new table; always a power of two. */
const LEAST_PLACES = 16;
/** Up to so many places are kept when the calls have gone: they come and go in bursts. */
const KEPT_PLACES = 256;

/** Calls with neighbouring ids. A peer that leaves gaps makes one for each of its calls: less than 200 bytes. */
class Block<C> {
  readonly calls: (C | undefined)[] = emptyPlaces(BLOCK_CALLS);
  count = 0;

  /** The least id that stands here. */
  constructor(readonly base: MuxId) {}
}

/**
 * Calls by muxId, as a Map would keep them, had it not one fault: a Map that takes as many out as in makes itself a new
 * table now and then, the old one points to the new one, and so one old table that the garbage collector has moved to
 * the old generation keeps alive all that follow, with every call that they ever held, until the next full collection.
 *
 * Neighbouring ids stand together in blocks. These are found by open addressing, at most half full; each place is
 * looked for from that of the block's hash on.
 */
export class BlockTable<C> {
  private blocks: (Block<C> | undefined)[] = emptyPlaces(LEAST_PLACES);
  private blockCount = 0;
  /** Where the last call was added. It stays while it is empty: the next call stands there, too. */
  private recent: Block<C> | undefined = undefined;
  /** Where a call was looked for last: answers come in about the order of their calls. In the table, if any. */
  private near: Block<C> | undefined = undefined;
  private count = 0;
  private readonly seed: number;

  /** `chance` in [0, 1): the peer chooses its ids, and must not choose where they stand. */
  constructor(chance: number) {
    this.seed = (chance * 2 ** 32) | 0;
  }

  get size(): number {
    return this.count;
  }

  get(id: MuxId): C | undefined {
    const inBlock = placeInBlock(id);
    return this.find(baseOf(id, inBlock))?.calls[inBlock];
  }

  set(id: MuxId, call: C): void {
    const inBlock = placeInBlock(id);
    const base = baseOf(id, inBlock);
    const block = this.find(base) ?? this.add(base);
    if (block !== this.recent) {
      if (this.recent?.count === 0) this.remove(this.recent);
      this.recent = block;
    }
    if (block.calls[inBlock] === undefined) {
      block.count++;
      this.count++;
    }
    block.calls[inBlock] = call;
  }

  delete(id: MuxId): void {
    const inBlock = placeInBlock(id);
    const block = this.find(baseOf(id, inBlock));
    if (block?.calls[inBlock] === undefined) return;
    block.calls[inBlock] = undefined;
    this.count--;
    if (--block.count === 0 && block !== this.recent) this.remove(block);
  }

  /** Those that are in the table now, with their ids: it may change meanwhile. */
  entries(): [MuxId, C][] {
    const entries: [MuxId, C][] = [];
    for (const block of this.blocks) {
      block?.calls.forEach((call, inBlock) => {
        if (call !== undefined) entries.push([idAt(block.base, inBlock), call]);
      });
    }
    return entries;
  }

  private find(base: MuxId): Block<C> | undefined {
    if (this.recent?.base === base) return this.recent;
    if (this.near?.base === base) return this.near;
    const block = this.blocks[this.placeOf(base)];
    this.near = block;
    return block;
  }

  private add(base: MuxId): Block<C> {
    if (2 * ++this.blockCount > this.blocks.length) this.resize(2 * this.blocks.length);
    const block = new Block<C>(base);
    this.blocks[this.placeOf(base)] = block;
    return block;
  }

  private remove({ base }: Block<C>): void {
    this.blockCount--;
    if (this.near?.base === base) this.near = undefined;
    this.empty(this.placeOf(base));
    const { length } = this.blocks;
    if (length > KEPT_PLACES && 16 * this.blockCount < length) this.resize(length / 2);
  }

  /** Where the block stands, or would. */
  private placeOf(base: MuxId): number {
    const { blocks } = this;
    const mask = blocks.length - 1;
    let place = this.hash(base) & mask;
    for (let block = blocks[place]; block !== undefined && block.base !== base; block = blocks[place]) {
      place = (place + 1) & mask;
    }
    return place;
  }

  /** Those behind an empty place move up, so that each is still found from its hash on without a gap. */
  private empty(place: number): void {
    const { blocks } = this;
    const mask = blocks.length - 1;
    let gap = place;
    for (let next = (gap + 1) & mask; blocks[next] !== undefined; next = (next + 1) & mask) {
      const home = this.hash(blocks[next]!.base) & mask;
      // it may not stand before its home
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      blocks[gap] = blocks[next];
      gap = next;
    }
    blocks[gap] = undefined;
  }

  private resize(places: number): void {
    const { blocks } = this;
    this.blocks = emptyPlaces(places);
    for (const block of blocks) {
      if (block !== undefined) this.blocks[this.placeOf(block.base)] = block;
    }
  }

  /** 32 bits of which each depends on all of the key but its place in the block, and on the seed. */
  private hash(base: MuxId): number {
    const low = typeof base === 'bigint' ? Number(BigInt.asUintN(32, base)) : base;
    const high = typeof base === 'bigint' ? Number(base >> 32n) : base / 2 ** 32;
    let mixed = Math.imul((low ^ this.seed) + Math.imul(high, 0x9e3779b1), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  }
}

function placeInBlock(id: MuxId): number {
  return typeof id === 'bigint' ? Number(id & BigInt(IN_BLOCK)) : id & IN_BLOCK;
}

function idAt(base: MuxId, inBlock: number): MuxId {
  return typeof base === 'bigint' ? base + BigInt(inBlock) : base + inBlock;
}

function baseOf(id: MuxId, inBlock: number): MuxId {
  return typeof id === 'bigint' ? id - BigInt(inBlock) : id - inBlock;
}

function emptyPlaces(count: number): undefined[] {
  const places: undefined[] = [];
  while (places.length < count) places.push(undefined);
  return places;
}
