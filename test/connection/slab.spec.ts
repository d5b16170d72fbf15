import { afterEach, describe, expect, it } from '@jest/globals';
import { slabs, type Slab } from '../../lib/connection/slab.js';
import { encodeMessage, Flag } from '../../lib/wire/index.js';
import { bytesOf, messageOf, patternBytes, SUBROUTE } from '../wire/build.js';

const SLAB_BYTES = 256 * 1024;
const NEAR = 24;
const LARGE_BYTES = 1024 * 1024 + 64 * 1024;
const LARGE = 4;

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

  it('for large messages lie there too, and are made for one message when those are all in use', () => {
    const all = Array.from({ length: LARGE + 1 }, () => take(SLAB_BYTES + 1));
    expect(all.map((slab) => slab.isNear)).toEqual(all.map((_, i) => i < LARGE));
    expect(all.map((slab) => slab.bytes.length)).toEqual([...Array(LARGE).fill(LARGE_BYTES), SLAB_BYTES + 1]);
    all.forEach(({ bytes }, i) => bytes.fill(i));
    all.forEach(({ bytes }, i) => expect(bytes.equals(Buffer.alloc(bytes.length, i))).toBe(true));
    give(all[LARGE]!);
    expect(take(SLAB_BYTES + 1)).not.toBe(all[LARGE]);
    give(all[2]!);
    expect(take(LARGE_BYTES)).toBe(all[2]);
  });

  it('for one message that is larger still are made for it and not kept', () => {
    const huge = take(LARGE_BYTES + 1);
    expect([huge.isNear, huge.bytes.length]).toEqual([false, LARGE_BYTES + 1]);
    give(huge);
    expect(take(LARGE_BYTES + 1)).not.toBe(huge);
    expect(take(SLAB_BYTES).bytes.length).toBe(SLAB_BYTES);
  });

  it('hold the same bytes wherever they lie', () => {
    const all = Array.from({ length: NEAR + 1 }, () => take());
    const messages = [
      ...[0, 1, 100, 500, 70_000].map((length) => messageOf({ flags: Flag.Crc, payload: patternBytes(length) })),
      messageOf({ payload: patternBytes(100) }),
      messageOf({ muxId: 2n ** 60n, flags: Flag.Crc, payload: patternBytes(100) }),
      messageOf({ flags: Flag.Crc | Flag.Subroute | Flag.Metadata, subroute: SUBROUTE, metadata: { k: 'v' } }),
    ];
    for (const message of messages) {
      for (const { bytes } of [all[0]!, all[NEAR]!, all[1]!]) {
        const end = encodeMessage(message, bytes, 33);
        expect(bytes.subarray(33, end).equals(bytesOf(message))).toBe(true);
      }
    }
  });
});
