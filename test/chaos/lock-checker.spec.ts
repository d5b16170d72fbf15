import { describe, expect, it } from '@jest/globals';
import { LockChecker, type LockSight } from './lock-checker.js';

const TWO = 'the lock r was held by two at once';

function told(...sights: [uid: string, kind: LockSight['kind'], at: number, resource?: string][]): string[] {
  const checker = new LockChecker();
  for (const [uid, kind, at, resource = 'r'] of sights) checker.saw({ resource, uid, kind, at });
  return checker.violations.map(({ promise }) => promise);
}

describe('the lock checker', () => {
  it.each<[string, Parameters<typeof told>]>([
    ['one writer after the other', [['a', 'write', 1], ['a', 'write', 5], ['b', 'write', 6], ['b', 'write', 9]]],
    ['readers together', [['a', 'read', 1], ['b', 'read', 2], ['a', 'read', 3], ['b', 'read', 4]]],
    ['two locks', [['a', 'write', 1, 'r'], ['b', 'write', 2, 's'], ['a', 'write', 3, 'r']]],
    ['journals that are read late', [['b', 'write', 6], ['b', 'write', 9], ['a', 'write', 1], ['a', 'write', 5]]],
    ['a writer after many readers', [['a', 'read', 1], ['b', 'read', 4], ['c', 'write', 5]]],
  ])('is content with %s', (_, sights) => {
    expect(told(...sights)).toEqual([]);
  });

  it.each<[string, Parameters<typeof told>]>([
    ['two writers', [['a', 'write', 1], ['b', 'write', 2], ['a', 'write', 3]]],
    ['a writer in the midst of a reader', [['a', 'read', 1], ['a', 'read', 3], ['b', 'write', 2]]],
    ['a reader in the midst of a writer', [['a', 'write', 1], ['a', 'write', 3], ['b', 'read', 2]]],
    ['a writer that does not know that its time is over', [['a', 'write', 1], ['b', 'write', 7], ['a', 'write', 8]]],
  ])('catches %s', (_, sights) => {
    expect(told(...sights)).toEqual([TWO]);
  });
});
