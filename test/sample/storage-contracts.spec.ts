import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import * as contracts from '../../sample/storage/src/contracts.js';

const GOLDEN = join(process.cwd(), 'test/sample/storage-contracts.json');

describe('the storage contracts', () => {
  it('B52 keep every name and ID for ever', () => {
    const pairs: Record<string, { id: number; kind: string; name: string }> = {};
    for (const [exported, value] of Object.entries(contracts)) {
      if (typeof value === 'object' && 'kind' in value) {
        pairs[exported] = { id: value.id, kind: value.kind, name: value.name };
      }
    }
    // A new contract is added to the golden file; an entry that is there is never changed nor given away again.
    expect(pairs).toEqual(JSON.parse(readFileSync(GOLDEN, 'utf8')));
  });

  it('give no number and no name twice', () => {
    const all = Object.values(contracts).filter((value) => typeof value === 'object' && 'kind' in value);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });
});
