import { expect, test } from '@jest/globals';
import { inOneLine, shortened } from '../../lib/errors/index.js';
import { collectGarbage } from '../garbage.js';

test('a text of up to 8,192 characters stays itself; of a longer one its start and its end stay', () => {
  for (const text of ['', 'short', 'f'.repeat(8_192)]) expect(shortened(text)).toBe(text);
  const long = `${'s'.repeat(4_096)}abc${'e'.repeat(4_096)}`;
  expect(shortened(long)).toBe(`${'s'.repeat(4_096)} … 3 characters left out … ${'e'.repeat(4_096)}`);
});

test.each([
  ['shortened', shortened],
  ['inOneLine', inOneLine],
])('what %s gives does not keep the text alive that it is of', (_, partOf) => {
  const heldBytes = (): number => {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = heldBytes();
  const parts = Array.from({ length: 20 }, () => partOf(Buffer.alloc(1_000_000, 'long').toString()));
  expect(heldBytes() - before).toBeLessThan(5_000_000);
  expect(parts[0]).toMatch(/^longlong.*…/);
});

test('a text that is cut in the middle of a character keeps what is there of it', () => {
  const long = `${'s'.repeat(4_095)}😀${'e'.repeat(9_000)}`;
  expect(shortened(long).slice(4_094, 4_098)).toBe('s\ud83d …');
});
