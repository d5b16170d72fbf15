import { appendFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Chance } from './chance.js';
import { Journal } from './journal.js';
import { JournalReader } from './journal-reader.js';

let folder: string;
let reader: JournalReader;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chaos-journal-'));
  reader = new JournalReader(folder);
});
afterEach(async () => {
  reader.close();
  await rm(folder, { recursive: true });
});

describe('a journal', () => {
  it('is read as it grows, each line once', () => {
    const journal = new Journal(folder, '3-77');
    journal.note('r', '0.1.data/1');
    expect([...reader.fresh()]).toEqual([{ node: 3, words: ['r', '0.1.data/1'] }]);
    expect([...reader.fresh()]).toEqual([]);
    journal.note('e', '0.1.data/2', 'ok', 0, 0);
    new Journal(folder, '10-78').note('r', 'x/0');
    expect([...reader.fresh()]).toEqual([
      { node: 10, words: ['r', 'x/0'] },
      { node: 3, words: ['e', '0.1.data/2', 'ok', '0', '0'] },
    ]);
  });

  it('gives no half a line', () => {
    appendFileSync(join(folder, '1-1'), 'r 0.1');
    expect([...reader.fresh()]).toEqual([]);
    appendFileSync(join(folder, '1-1'), '/5\nr ');
    expect([...reader.fresh()]).toEqual([{ node: 1, words: ['r', '0.1/5'] }]);
  });

  it('is read whole when it is larger than what is read at a time', () => {
    const journal = new Journal(folder, '0-1');
    const line = 'x'.repeat(100_000);
    for (let index = 0; index < 30; index++) journal.note('r', index, line);
    expect([...reader.fresh()].map(({ words }) => [words[1], words[2]?.length])).toEqual(
      Array.from({ length: 30 }, (_, index) => [String(index), line.length]),
    );
  });
});

describe('chance', () => {
  it('comes again with its seed, and what one part draws does not change another', () => {
    const draw = (chance: Chance): unknown[] => [chance.next(), chance.bytes(9), chance.shuffled([1, 2, 3])];
    expect(draw(new Chance(5))).toEqual(draw(new Chance(5)));
    expect(draw(new Chance(5))).not.toEqual(draw(new Chance(6)));
    const one = new Chance(7);
    const two = new Chance(7);
    draw(one.fork());
    two.fork();
    expect(draw(one)).toEqual(draw(two));
  });

  it('is fair', () => {
    const chance = new Chance(1);
    const counts = [0, 0, 0];
    const weighted = { a: 0, b: 0 };
    for (let index = 0; index < 9_000; index++) {
      counts[chance.whole(0, 2)]!++;
      weighted[chance.weighted({ a: 1, b: 2 })]++;
    }
    for (const count of [...counts, weighted.a]) expect(Math.abs(count - 3_000)).toBeLessThan(200);
  });
});
