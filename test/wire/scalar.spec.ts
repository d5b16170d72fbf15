/** The specs of the wire once more, with the codec that other machines have. */
import { describe, expect, it } from '@jest/globals';

process.env['NESTJS_GRID_CODEC'] = 'scalar';
for (const spec of ['damage', 'merged', 'message', 'metadata', 'numbers', 'vectors', 'xxh3']) {
  await import(`./${spec}.spec.js`);
}
const { wasmCodec } = await import('../../lib/wire/codec.js');

describe('the scalar codec', () => {
  it('is the one that these specs ran with', () => {
    expect(wasmCodec?.name).toBe('scalar');
  });
});
