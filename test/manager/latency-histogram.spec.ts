import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LatencyHistogram } from '../../lib/manager/latency-histogram.js';

/** Ten bounds for each power of ten, from 10 µs on; 96 of them. */
const bounds = Array.from({ length: 96 }, (_, index) => 0.01 * 10 ** (index / 10));

function bucketOf(ms: number): number {
  const histogram = new LatencyHistogram();
  histogram.add(ms);
  const { buckets } = histogram.summary();
  expect(buckets).toHaveLength(1);
  return buckets[0]!.upToMs;
}

describe('a histogram of latencies', () => {
  test('counts each duration under the least bound that is not below it', () => {
    const anyLength = fc.double({ min: -4, max: 9, noNaN: true }).map((power) => 10 ** power);
    fc.assert(
      fc.property(anyLength, (ms) => {
        expect(bucketOf(ms)).toBe(bounds.find((bound) => ms <= bound) ?? Infinity);
      }),
    );
  });

  test('counts what is a bound under it, and what is a little longer under the next one', () => {
    for (const [index, bound] of bounds.entries()) {
      expect(bucketOf(bound)).toBe(bound);
      expect(bucketOf(bound * (1 + Number.EPSILON))).toBe(bounds[index + 1] ?? Infinity);
    }
  });

  test('takes none, less than none, and what no bound holds', () => {
    for (const ms of [0, -0.5]) expect(bucketOf(ms)).toBe(0.01);
    for (const ms of [2 ** 32 * 0.01, 1e9, 1e300]) expect(bucketOf(ms)).toBe(Infinity);
  });
});
