import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createXXHash3 } from 'hash-wasm';
import { crcOf, xxh3_64 } from '../../lib/wire/index.js';

const vectors = JSON.parse(readFileSync('test/vectors/xxh3-v1.json', 'utf8')) as { length: number; xxh3: string }[];

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + 7) % 256);
}

function hexOf(bytes: Uint8Array): string {
  const { hi, lo } = xxh3_64(bytes);
  return hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
}

describe('xxh3', () => {
  it.each(vectors)('hashes $length bytes as the vector says', ({ length, xxh3 }) => {
    expect(hexOf(pattern(length))).toBe(xxh3);
  });

  it('agrees with another implementation at every length up to 1,100 and around the block borders', async () => {
    const other = await createXXHash3();
    const lengths = [...Array(1100).keys(), 2047, 2048, 2049, 3072, 3073, 65_535, 65_536, 65_537];
    for (const length of lengths) {
      const bytes = pattern(length);
      expect([length, hexOf(bytes)]).toEqual([length, other.init().update(bytes).digest()]);
    }
  });

  it('agrees with another implementation for any bytes', async () => {
    const other = await createXXHash3();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000, size: 'max' }), (bytes) => {
        expect(hexOf(bytes)).toBe(other.init().update(bytes).digest());
      }),
      { numRuns: 1000 },
    );
  });

  it('carries through every half: bytes of all ones', async () => {
    const other = await createXXHash3();
    for (let length = 0; length <= 600; length++) {
      const bytes = new Uint8Array(length).fill(0xff);
      expect(hexOf(bytes)).toBe(other.init().update(bytes).digest());
    }
  });

  it('hashes a range of a larger array, and reads nothing beside it', () => {
    for (const length of [0, 3, 8, 16, 100, 200, 500, 1100]) {
      const bytes = pattern(length);
      for (const around of [0x00, 0xff]) {
        const larger = new Uint8Array(length + 20).fill(around);
        larger.set(bytes, 7);
        expect(crcOf(larger, 7, 7 + length)).toBe(xxh3_64(bytes).lo);
      }
    }
  });
});
