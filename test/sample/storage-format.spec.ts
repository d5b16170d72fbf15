import { describe, expect, it } from '@jest/globals';
import { decide, type Report } from '../../sample/storage/src/format/decision.js';
import { decodeFormat, encodeFormat } from '../../sample/storage/src/format/format.js';

/** One letter per node: its deployment, `-` a fresh disk, `?` no answer. */
function reports(letters: string): Report[] {
  return letters.split('').map((letter, node) => {
    if (letter === '-') return { kind: 'fresh' };
    if (letter === '?') return { kind: 'silent', why: 'not connected' };
    return { kind: 'formatted', format: { deployment: letter, node, nodes: letters.length } };
  });
}

describe('the decision on a deployment', () => {
  it.each([
    [0, '----', { kind: 'create' }],
    [1, '----', { kind: 'wait' }],
    [0, '---?', { kind: 'wait' }],
    [1, 'A---', { kind: 'adopt', deployment: 'A' }],
    [0, 'A---', { kind: 'keep', deployment: 'A' }],
    [3, 'AAA-', { kind: 'adopt', deployment: 'A' }],
    [3, 'AA?-', { kind: 'wait' }],
    [3, 'AAAA', { kind: 'keep', deployment: 'A' }],
    [0, 'AA??', { kind: 'wait' }],
    [0, 'AAA?', { kind: 'keep', deployment: 'A' }],
    [3, 'AAAB', { kind: 'refuse' }],
    [0, 'AAAB', { kind: 'keep', deployment: 'A' }],
    [0, 'AABB', { kind: 'refuse' }],
    [2, 'AABB', { kind: 'refuse' }],
    [0, 'A?B?', { kind: 'wait' }],
    [3, 'AB--', { kind: 'refuse' }],
    [3, 'ABA-', { kind: 'refuse' }],
    [2, 'AAAB', { kind: 'keep', deployment: 'A' }],
  ])('of node %i among %s', (self, letters, wanted) => {
    expect(decide(self, reports(letters))).toMatchObject(wanted);
  });

  it('says of a foreign folder whose it is and what the others are', () => {
    expect(decide(3, reports('AAAB'))).toEqual({
      kind: 'refuse',
      why: 'the folder belongs to deployment B, but A is that of node 0, 1, 2',
    });
  });

  it('refuses the folder of another node', () => {
    const all = reports('AAAA');
    all[1] = { kind: 'formatted', format: { deployment: 'A', node: 2, nodes: 4 } };
    expect(decide(1, all)).toEqual({
      kind: 'refuse',
      why: 'the folder is of node 2 of 4, but was started as node 1 of 4',
    });
    all[1] = { kind: 'formatted', format: { deployment: 'A', node: 1, nodes: 5 } };
    expect(decide(1, all)).toMatchObject({ kind: 'refuse' });
  });

  it('never makes two deployments out of one cluster', () => {
    // whatever each half sees of the other: at most one of them may go on
    for (const letters of ['AABB', 'AABBB', 'AB-', 'A-BB', 'AAB??', 'ABB??']) {
      const going = new Set<string>();
      letters.split('').forEach((_, self) => {
        const decision = decide(self, reports(letters));
        if ('deployment' in decision) going.add(decision.deployment);
        expect(decision.kind).not.toBe('create');
      });
      expect(going.size).toBeLessThanOrEqual(1);
    }
  });
});

describe('format.json', () => {
  it('comes back as written', () => {
    const format = { deployment: 'd', node: 1, nodes: 4 };
    expect(decodeFormat(encodeFormat(format))).toEqual(format);
  });

  it.each([
    ['', 'is not JSON'],
    ['null', 'has version undefined'],
    ['{"version":2}', 'has version 2'],
    ['{"version":1}', 'names no deployment'],
    ['{"version":1,"deployment":"d","node":"1","nodes":4}', 'does not say which node'],
  ])('%s is refused', (text, why) => {
    expect(() => decodeFormat(Buffer.from(text))).toThrow(why);
  });
});
