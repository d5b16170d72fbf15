import { describe, expect, it } from '@jest/globals';
import { activeExtensions, EXTENSIONS, type Extension } from '../../lib/wire/index.js';

const ALL: readonly Extension[] = ['meta', 'error', 'cancel', 'capacity', 'upgrade', 'drain'];

describe('active extensions', () => {
  it.each<[string, readonly Extension[], readonly string[] | undefined, readonly Extension[]]>([
    ['none with a Go peer', ALL, undefined, []],
    ['none with a peer that has none', ALL, [], []],
    ['all that both have', ALL, ALL, ALL],
    ['without names that are unknown', ['cancel', 'drain'], ['x', 'drain', 'cancel'], ['cancel', 'drain']],
    ['not those that only the peer has', ['cancel'], ALL, ['cancel']],
    ['error only with meta', ALL, ['error', 'cancel'], ['cancel']],
    ['upgrade only with capacity', ALL, ['upgrade', 'cancel'], ['cancel']],
    ['upgrade only with cancel', ALL, ['upgrade', 'capacity'], ['capacity']],
    ['upgrade with both', ALL, ['upgrade', 'capacity', 'cancel'], ['cancel', 'capacity', 'upgrade']],
  ])('are %s', (_, ours, theirs, active) => {
    expect([...activeExtensions(ours, theirs)].sort()).toEqual([...active].sort());
  });

  it('of two hosts of this build are all that it announces', () => {
    expect([...activeExtensions(EXTENSIONS, EXTENSIONS)]).toEqual([...EXTENSIONS]);
  });
});
