import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { localDials } from '../../lib/manager/who-dials.js';
import { seeded } from '../random.js';
import { volume } from '../scale.js';

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

  it('B42 of 1,000 random host names each dials between 40 and 60 % of its peers', () => {
    const random = seeded(42);
    const below = (most: number): number => Math.floor(random() * most);
    const name = (): string => `http://${below(2 ** 40).toString(36)}:${1 + below(65_535)}`;
    const hosts = [...new Set(Array.from({ length: 1_000 }, name))];
    expect(hosts).toHaveLength(1_000);
    for (const local of hosts.slice(0, volume(40, hosts.length))) {
      const dials = hosts.filter((remote) => remote !== local && localDials(local, remote)).length;
      expect(dials).toBeGreaterThan(0.4 * 999);
      expect(dials).toBeLessThan(0.6 * 999);
    }
  });
});
