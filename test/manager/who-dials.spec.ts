import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { localDials } from '../../lib/manager/who-dials.js';

interface Pair {
  readonly local: string;
  readonly remote: string;
  readonly localDials: boolean;
}

const recorded = JSON.parse(readFileSync(new URL('../vectors/dialer-v1.json', import.meta.url), 'utf8')) as Pair[];

describe('who dials', () => {
  it('decides as recorded, seen from both ends', () => {
    expect(recorded.length).toBeGreaterThan(100);
    for (const pair of recorded) {
      expect(localDials(pair.local, pair.remote)).toBe(pair.localDials);
      expect(localDials(pair.remote, pair.local)).toBe(!pair.localDials);
    }
  });

  it('P32 of 35 names, exactly one of each pair dials and each name dials at least 10 of its 34 links', () => {
    const names = [...'abcdefghijklmnopqrstuvxyz0123456789'];
    expect(names).toHaveLength(35);
    for (const local of names) {
      let dials = 0;
      for (const remote of names) {
        if (local === remote) continue;
        if (localDials(local, remote)) dials++;
        expect(localDials(local, remote)).toBe(!localDials(remote, local));
      }
      expect(dials).toBeGreaterThanOrEqual(10);
    }
  });

  it('B42 of 1,000 hosts each dials between 40 and 60 % of its peers', () => {
    const hosts = Array.from({ length: 1_000 }, (_, i) => `http://10.${i >> 8}.${i & 255}.${(i * 7) % 251}:9000`);
    for (let i = 0; i < hosts.length; i += 50) {
      const dials = hosts.filter((remote, j) => j !== i && localDials(hosts[i]!, remote)).length;
      expect(dials).toBeGreaterThan(400);
      expect(dials).toBeLessThan(600);
    }
  });
});
