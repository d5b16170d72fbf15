import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { transformPatternToRoute } from '@nestjs/microservices/utils/transform-pattern.utils.js';
import { joinSubroute, normalisedPattern, resolvePattern, type Pattern } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';

describe('resolvePattern', () => {
  const routes: Array<[Pattern, string | undefined, { handler: number; subroute: string | undefined; name: string }]> =
    [
      [60, undefined, { handler: 60, subroute: undefined, name: '60' }],
      [60, 'disk1', { handler: 60, subroute: 'disk1', name: '60/disk1' }],
      [{ id: 60 }, undefined, { handler: 60, subroute: undefined, name: '60' }],
      [{ id: 60, subroute: 'a/b' }, undefined, { handler: 60, subroute: 'a/b', name: '60/a/b' }],
      [{ id: 60, subroute: ['a', 'b'] }, 'disk1', { handler: 60, subroute: 'disk1/a/b', name: '60/disk1/a/b' }],
      ['sum', undefined, { handler: 255, subroute: 'sum', name: 'sum' }],
      ['sum', 'disk1', { handler: 255, subroute: 'disk1/sum', name: 'disk1/sum' }],
      ['60', undefined, { handler: 255, subroute: '60', name: '60' }],
      [{ cmd: 'sum' }, undefined, { handler: 255, subroute: '{"cmd":"sum"}', name: '{"cmd":"sum"}' }],
      [{ id: 'a' }, undefined, { handler: 255, subroute: '{"id":"a"}', name: '{"id":"a"}' }],
      [{ id: 60, cmd: 'x' }, undefined, { handler: 255, subroute: '{"cmd":"x","id":60}', name: '{"cmd":"x","id":60}' }],
    ];

  it.each(routes)('%p under %p', (pattern, prefix, route) => {
    expect(resolvePattern(pattern, prefix)).toEqual(route);
  });

  it.each([
    0,
    254,
    255,
    -1,
    1.5,
    NaN,
    { id: 0 },
    { id: 300, subroute: 'a' },
    '',
    null,
    undefined,
    true,
    { id: 1, subroute: 5 },
    { id: 1, subroute: [] },
  ])('refuses %p', (pattern) => {
    expect(() => resolvePattern(pattern as never)).toThrow(GridError);
  });

  it('refuses empty parts', () => {
    expect(() => joinSubroute(['a', ''])).toThrow('not empty');
    expect(joinSubroute(['a', 'b/c'])).toBe('a/b/c');
  });
});

describe('normalisedPattern', () => {
  let deep: Record<string, unknown> = { end: 1 };
  for (let i = 0; i < 8; i++) deep = { deep };
  const wide = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, i]));
  const patterns = [
    'sum',
    { b: 1, a: 'x' },
    { a: { c: [1, 'y'], b: null } },
    { 'q"': 'a"b\\' },
    { a: undefined, t: true },
    [1, 2],
    deep,
    wide,
    { wide },
  ];

  it.each(patterns)('says the same as Nest of %p', (pattern) => {
    expect(normalisedPattern(pattern)).toBe(transformPatternToRoute(pattern as never));
  });
});
