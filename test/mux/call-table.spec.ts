import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BlockTable } from '../../lib/mux/block-table.js';
import { CallTable } from '../../lib/mux/call-table.js';
import type { MuxId } from '../../lib/wire/index.js';

/** Close together, so that they meet, and of each kind that the wire knows. */
const ids: fc.Arbitrary<MuxId> = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.integer({ min: 0, max: 50 }).map((more) => 2 ** 31 - 20 + more),
  fc.integer({ min: 0, max: 50 }).map((more) => 2 ** 32 * (more + 1) + 7),
  fc.integer({ min: 0, max: 20 }).map((more) => Number.MAX_SAFE_INTEGER - more),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 53n + 20n }),
  fc.bigInt({ min: 2n ** 64n - 20n, max: 2n ** 64n - 1n }),
);

/** In few blocks, so that these empty and fill again while others do; and of few places. */
const sparseIds: fc.Arbitrary<MuxId> = fc
  .tuple(fc.constantFrom<MuxId>(0, 16, 32, 48, 2 ** 40, 2n ** 60n), fc.nat({ max: 2 }))
  .map(([base, place]) => (typeof base === 'bigint' ? base + BigInt(place) : base + place));

interface Step {
  readonly does: 'set' | 'get' | 'delete';
  readonly id: MuxId;
}

interface Call {
  readonly step: number;
}

/** What both tables can do. */
type Table = Pick<BlockTable<Call>, 'set' | 'get' | 'delete' | 'size'>;

/** As a mux uses it: it knows whether a call of that id is there. */
class MuxTable extends CallTable<Call> {
  set(id: MuxId, call: Call): void {
    if (this.has(id)) this.replace(id, call);
    else this.add(id, call);
  }
}

/** Does the same to a table and to a Map, and looks at each step that they agree; gives the Map. */
function compare(table: Table, steps: readonly Step[]): Map<MuxId, Call> {
  const model = new Map<MuxId, Call>();
  steps.forEach(({ does, id }, step) => {
    const call = { step };
    if (does === 'set') {
      table.set(id, call);
      model.set(id, call);
    } else if (does === 'delete') {
      table.delete(id);
      model.delete(id);
    } else {
      expect(table.get(id)).toBe(model.get(id));
    }
    expect(table.size).toBe(model.size);
  });
  for (const { id } of steps) expect(table.get(id)).toBe(model.get(id));
  return model;
}

function inOrder(entries: Iterable<[MuxId, Call]>): [MuxId, Call][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The block that was looked at last goes, and its ids come back. */
const GONE_AND_BACK: Step[] = [
  { does: 'set', id: 1 },
  { does: 'set', id: 17 },
  { does: 'get', id: 1 },
  { does: 'delete', id: 1 },
  { does: 'set', id: 2 },
  { does: 'set', id: 33 },
  { does: 'get', id: 17 },
];

describe('calls by muxId', () => {
  it.each([
    ['next to each other', ids, 600],
    ['in few blocks', sparseIds, 60],
  ])('as a Map keeps them, whatever comes and goes %s', (_, someIds, maxLength) => {
    const step = fc.record({ does: fc.constantFrom('set', 'set', 'get', 'delete', 'delete'), id: someIds });
    const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    // up to that length, and not some ten: short runs empty no block whose ids come back
    const steps = fc.array(step, { maxLength, size: 'max' });
    const sameAsAMap = (steps: readonly Step[], chance: number): void => {
      const blocks = new BlockTable<Call>(chance);
      const inBlocks = compare(blocks, steps);
      expect(inOrder(blocks.entries())).toEqual(inOrder(inBlocks));
      const table = new MuxTable(chance);
      const model = compare(table, steps);
      for (const { id } of steps) expect(table.has(id)).toBe(model.has(id));
      expect(table.values()).toEqual(inOrder(model).map(([, call]) => call));
    };
    fc.assert(fc.property(steps, chances, sameAsAMap), { examples: [[GONE_AND_BACK, 0.5]] });
  });

  it('100,000 come and go, next to each other', () => {
    const table = new CallTable<number>(0.5);
    for (let id = 1; id <= 100_000; id++) table.add(id, id);
    expect([table.size, table.get(1), table.get(100_000)]).toEqual([100_000, 1, 100_000]);
    for (let id = 1; id <= 100_000; id += 2) table.delete(id);
    expect([table.size, table.get(1), table.get(2), table.get(99_999)]).toEqual([50_000, undefined, 2, undefined]);
    expect(table.values().every((id) => id % 2 === 0)).toBe(true);
    for (let id = 2; id <= 100_000; id += 2) table.delete(id);
    expect([table.size, table.values()]).toEqual([0, []]);
  });

  it('each in a block of its own, and back', () => {
    const table = new CallTable<number>(0.5);
    for (let id = 16; id <= 160_000; id += 16) table.add(id, id);
    expect([table.size, table.get(16), table.get(17), table.get(160_000)]).toEqual([10_000, 16, undefined, 160_000]);
    for (let id = 16; id <= 160_000; id += 16) table.delete(id);
    expect([table.size, table.values()]).toEqual([0, []]);
    // the one that was added last may be added again
    table.add(160_000, 1);
    expect([table.get(160_000), table.values()]).toEqual([1, [1]]);
  });

  it('one that lasts makes way for younger ones of its place, and is found and replaced all the same', () => {
    const table = new CallTable<string>(0.5);
    table.add(1, 'lasts');
    for (let id = 2; id <= 5_000; id++) {
      table.add(id, 'passes');
      if (id > 3) table.delete(id - 2);
    }
    expect([table.get(1), table.get(3), table.size]).toEqual(['lasts', undefined, 3]);
    table.replace(1, 'replaced');
    expect([table.values(), table.size]).toEqual([['replaced', 'passes', 'passes'], 3]);
    table.delete(1);
    expect([table.get(1), table.has(1), table.size]).toEqual([undefined, false, 2]);
    // its id may come back
    table.add(1, 'again');
    expect([table.get(1), table.size]).toEqual(['again', 3]);
  });
});
