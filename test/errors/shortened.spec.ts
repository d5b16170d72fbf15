import { expect, test } from '@jest/globals';
import { shortened } from '../../lib/errors/index.js';

test('a text of up to 8,192 characters stays itself; of a longer one its start and its end stay', () => {
  for (const text of ['', 'short', 'f'.repeat(8_192)]) expect(shortened(text)).toBe(text);
  const long = `${'s'.repeat(4_096)}abc${'e'.repeat(4_096)}`;
  expect(shortened(long)).toBe(`${'s'.repeat(4_096)} … 3 characters left out … ${'e'.repeat(4_096)}`);
});
