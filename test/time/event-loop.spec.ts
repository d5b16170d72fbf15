import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { loopSleptMs } from '../../lib/time/index.js';
import { turn } from '../turn.js';

describe('how long the event loop has slept', () => {
  it('grows while it waits, and not while it works', async () => {
    await sleep(2);
    const before = loopSleptMs();
    expect(before).toBeGreaterThan(0);
    await sleep(2);
    const after = loopSleptMs();
    expect(after).toBeGreaterThan(before);
    let turns = 0;
    // each has its next one ready
    while (turns++ < 100) await turn();
    expect(loopSleptMs()).toBe(after);
  });
});
