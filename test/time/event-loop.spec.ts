import { describe, expect, it } from '@jest/globals';
import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { loopSleptMs } from '../../lib/time/index.js';
import { turn } from '../turn.js';

/** Work that another thread does for some milliseconds: this one's loop has nothing to do meanwhile. */
const workElsewhere = (): Promise<unknown> => promisify(scrypt)('password', 'salt', 32);

describe('how long the event loop has slept', () => {
  it('grows while it waits, and not while it works', async () => {
    await workElsewhere();
    const before = loopSleptMs();
    expect(before).toBeGreaterThan(0);
    await workElsewhere();
    const after = loopSleptMs();
    expect(after).toBeGreaterThan(before);
    let turns = 0;
    // each has its next one ready
    while (turns++ < 100) await turn();
    expect(loopSleptMs()).toBe(after);
  });
});
