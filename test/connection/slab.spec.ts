import { afterEach, describe, expect, it } from '@jest/globals';
import { slabs, type Slab } from '../../lib/connection/slab.js';
import { encodeMessage, Flag } from '../../lib/wire/index.js';
import { bytesOf, messageOf, patternBytes } from '../wire/build.js';

const SLAB_BYTES = 256 * 1024;
const NEAR = 24;

const taken = new Set<Slab>();

function take(bytes = SLAB_BYTES): Slab {
  const slab = slabs.take(bytes);
  taken.add(slab);
  return slab;
}

function give(slab: Slab): void {
  taken.delete(slab);
  slabs.give(slab);
}

afterEach(() => taken.forEach(give));

describe('slabs', () => {
  it('lie in the memory of the codec, and outside of it when those are all in use', () => {
    const all = Array.from({ length: NEAR + 3 }, () => take());
    expect(all.map((slab) => slab.isNear)).toEqual(all.map((_, i) => i < NEAR));
    expect(new Set(all.slice(0, NEAR).map(({ bytes }) => bytes.buffer)).size).toBe(1);
    all.forEach(({ bytes }, i) => bytes.fill(i));
    all.forEach(({ bytes }, i) => expect(bytes.equals(Buffer.alloc(SLAB_BYTES, i))).toBe(true));
    give(all[5]!);
    expect(take()).toBe(all[5]);
  });

  it('that come back are empty, and the next to be used', () => {
    const slab = take();
    slab.used = 1000;
    give(slab);
    expect([take(), slab.used, slab.free]).toEqual([slab, 0, SLAB_BYTES]);
  });

  it('for one large message are made for it and not kept', () => {
    const large = take(SLAB_BYTES + 1);
    expect([large.isNear, large.bytes.length]).toEqual([false, SLAB_BYTES + 1]);
    give(large);
    expect(take(SLAB_BYTES + 1)).not.toBe(large);
  });

  it('hold the same bytes wherever they lie', () => {
    const all = Array.from({ length: NEAR + 1 }, () => take());
    for (const length of [0, 1, 100, 500, 70_000]) {
      const message = messageOf({ flags: Flag.Crc, payload: patternBytes(length) });
      for (const { bytes } of [all[0]!, all[NEAR]!, all[1]!]) {
        const end = encodeMessage(message, bytes, 33);
        expect(bytes.subarray(33, end).equals(bytesOf(message))).toBe(true);
      }
    }
  });
});
