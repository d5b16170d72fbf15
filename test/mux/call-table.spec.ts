import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
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

const steps = fc.array(fc.record({ id: ids, adds: fc.integer({ min: 0, max: 2 }).map((chance) => chance > 0) }), {
  maxLength: 600,
});

describe('calls by muxId', () => {
  it('as a Map keeps them, whatever comes and goes', () => {
    fc.assert(
      fc.property(steps, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (made, chance) => {
        const table = new CallTable<{ step: number }>(chance);
        const model = new Map<MuxId, { step: number }>();
        made.forEach(({ id, adds }, step) => {
          const call = { step };
          if (adds) {
            table.set(id, call);
            model.set(id, call);
          } else {
            table.delete(id);
            model.delete(id);
          }
          expect(table.get(id)).toBe(model.get(id));
          expect(table.size).toBe(model.size);
        });
        for (const { id } of made) {
          expect(table.get(id)).toBe(model.get(id));
          expect(table.has(id)).toBe(model.has(id));
        }
        const inOrder = [...model].toSorted(([a], [b]) => (a < b ? -1 : 1));
        expect(table.values()).toEqual(inOrder.map(([, call]) => call));
      }),
    );
  });

  it('100,000 come and go, next to each other', () => {
    const table = new CallTable<number>(0.5);
    for (let id = 1; id <= 100_000; id++) table.set(id, id);
    expect([table.size, table.get(1), table.get(100_000)]).toEqual([100_000, 1, 100_000]);
    for (let id = 1; id <= 100_000; id += 2) table.delete(id);
    expect([table.size, table.get(1), table.get(2), table.get(99_999)]).toEqual([50_000, undefined, 2, undefined]);
    expect(table.values().every((id) => id % 2 === 0)).toBe(true);
    for (let id = 2; id <= 100_000; id += 2) table.delete(id);
    expect([table.size, table.values()]).toEqual([0, []]);
  });

  it('each in a block of its own, and back', () => {
    const table = new CallTable<number>(0.5);
    for (let id = 16; id <= 160_000; id += 16) table.set(id, id);
    expect([table.size, table.get(16), table.get(17), table.get(160_000)]).toEqual([10_000, 16, undefined, 160_000]);
    for (let id = 16; id <= 160_000; id += 16) table.delete(id);
    expect([table.size, table.values()]).toEqual([0, []]);
    // the one that was added last may be added again
    table.set(160_000, 1);
    expect([table.get(160_000), table.values()]).toEqual([1, [1]]);
  });
});
