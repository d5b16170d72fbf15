import { describe, expect, it } from '@jest/globals';
import { CRC_BYTES, LEAST_MAX, METADATA_BYTES, MOST_EXT, SUBROUTE_BYTES } from '../../lib/wire/index.js';

describe('the numbers of the wire', () => {
  it('are the sizes and bounds of the spec', () => {
    expect([CRC_BYTES, SUBROUTE_BYTES, METADATA_BYTES, LEAST_MAX, MOST_EXT]).toEqual([4, 32, 8192, 65_536, 64]);
  });
});
