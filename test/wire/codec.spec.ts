import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createXXHash3 } from 'hash-wasm';
import { cutSlabs, maskInPlace, maskPlainly } from '../../lib/wire/frame-memory.js';
import { CODEC_NAMES, CODEC_VARIABLE, loadCodec, wasmCodec } from '../../lib/wire/codec.js';
import { WasmCodec } from '../../lib/wire/wasm-codec.js';
import { xxh3Low } from '../../lib/wire/xxh3.js';
import { run, type Finished } from '../project/process.js';
import { patternBytes } from './build.js';
import { refusalOf } from './refusal.js';

const SLAB_BYTES = 256 * 1024;
const LARGE_SLAB_BYTES = 1024 * 1024 + 64 * 1024;
const scalar = new WasmCodec('scalar');
const simd = new WasmCodec('simd');

/** The CRC by everybody who can make one, of the bytes where they are and copied into the codec's memory. */
function crcsOf(bytes: Uint8Array): number[] {
  const crcs = [xxh3Low(bytes, 0, bytes.length) >>> 0];
  for (const codec of [scalar, simd]) {
    crcs.push(codec.crcOf(bytes, 0, bytes.length));
    if (bytes.length > SLAB_BYTES - 3) continue;
    const [slab] = codec.cutSlabs(SLAB_BYTES, 1);
    slab!.set(bytes, 3);
    crcs.push(codec.crcOf(slab!, 3, 3 + bytes.length));
  }
  return crcs;
}

function expectSame(bytes: Uint8Array): void {
  const crcs = crcsOf(bytes);
  expect([bytes.length, new Set(crcs).size]).toEqual([bytes.length, 1]);
}

describe('the CRC of the plain, the scalar and the SIMD codec', () => {
  const around = [1023, 1024, 1025, 2048, 2049, 4114, 65_535, 65_536, 65_537, SLAB_BYTES - 1, SLAB_BYTES];
  const long = [SLAB_BYTES + 1, 2 * SLAB_BYTES - 1024, 2 * SLAB_BYTES - 1023, 2 * SLAB_BYTES, (1 << 20) + 63];

  it('is the same at every length up to 600, around the borders, and past the scratch area', () => {
    for (const length of [...Array(601).keys(), ...around, ...long]) expectSame(patternBytes(length));
  });

  it('is the same for every length of the last part', () => {
    const bytes = patternBytes(SLAB_BYTES + 2100);
    for (let length = SLAB_BYTES + 1; length <= bytes.length; length += 7) expectSame(bytes.subarray(0, length));
  });

  it('is that of another implementation, for any bytes', async () => {
    const other = await createXXHash3();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000, size: 'max' }), (bytes) => {
        const low = Number.parseInt(other.init().update(bytes).digest().slice(8), 16);
        expect(crcsOf(bytes)).toEqual([low, low, low, low, low]);
      }),
      { numRuns: 500 },
    );
  });

  it('reads only its range, wherever that is', () => {
    const bytes = patternBytes(700);
    for (const codec of [scalar, simd]) {
      const [first, second] = codec.cutSlabs(SLAB_BYTES, 2);
      for (const target of [first!, second!, new Uint8Array(2000), Buffer.alloc(2000).subarray(100), first!]) {
        for (const length of [0, 3, 16, 31, 32, 33, 240, 241, 700]) {
          target.fill(length);
          target.set(bytes.subarray(0, length), 50);
          expect(codec.crcOf(target, 50, 50 + length)).toBe(xxh3Low(bytes, 0, length) >>> 0);
        }
      }
    }
  });

  it('leaves the bytes as they are', () => {
    const [slab] = simd.cutSlabs(SLAB_BYTES, 1);
    slab!.set(patternBytes(SLAB_BYTES));
    simd.crcOf(slab!, 0, SLAB_BYTES);
    simd.crcOf(patternBytes(SLAB_BYTES * 3), 0, SLAB_BYTES * 3);
    expect(slab!.equals(patternBytes(SLAB_BYTES))).toBe(true);
  });
});

describe('the memory of the codec', () => {
  it('holds 24 slabs of 256 KiB and four of 1 MiB and 64 KiB, which lie beside each other and never move', () => {
    for (const codec of [scalar, simd]) {
      const slabs = [...codec.cutSlabs(SLAB_BYTES, 24), ...codec.cutSlabs(LARGE_SLAB_BYTES, 4, 24 * SLAB_BYTES)];
      // there is not a page more than they need
      const end = 24 * SLAB_BYTES + 4 * LARGE_SLAB_BYTES;
      expect(() => codec.cutSlabs(65_536, 1, end)).toThrow('outside of buffer bounds');
      slabs.forEach((slab, i) => slab.fill(i));
      codec.crcOf(patternBytes(3 * SLAB_BYTES), 0, 3 * SLAB_BYTES);
      slabs.forEach((slab, i) => expect(slab.equals(Buffer.alloc(slab.length, i))).toBe(true));
    }
  });
});

describe('masking', () => {
  /** RFC 6455 §5.3, byte for byte. */
  const maskedBy = (bytes: Uint8Array, key: number): Buffer =>
    Buffer.from(bytes.map((byte, i) => byte ^ (key >>> (8 * (i % 4)))));
  const plain = { name: 'plain', mask: maskPlainly, cutSlabs: () => [] };
  const process = { name: 'that of this process', mask: maskInPlace, cutSlabs: () => [] };

  it('is that of RFC 6455 for any key, length and place, and touches nothing else', () => {
    const place = fc.nat({ max: 70 });
    const key = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700, size: 'max' }), place, key, (bytes, at, mask) => {
        for (const codec of [scalar, simd, plain, process]) {
          for (const memory of [...codec.cutSlabs(1000, 1), Buffer.alloc(1000)]) {
            memory.fill(0xa5).set(bytes, at);
            codec.mask(memory.subarray(at, at + bytes.length), mask);
            const around = Buffer.alloc(1000, 0xa5);
            around.set(maskedBy(bytes, mask), at);
            expect([codec.name, memory.equals(around)]).toEqual([codec.name, true]);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('goes on across the border of what the codec takes at once', () => {
    for (const codec of [scalar, simd, plain, process]) {
      for (const length of [SLAB_BYTES, SLAB_BYTES + 1, 2 * SLAB_BYTES + 3]) {
        const bytes = patternBytes(length);
        codec.mask(bytes, 0xf1e2_d3c4);
        const expected = maskedBy(patternBytes(length), 0xf1e2_d3c4);
        expect([codec.name, Buffer.compare(bytes, expected)]).toEqual([codec.name, 0]);
      }
    }
  });
});

describe(CODEC_VARIABLE, () => {
  it('names the codec; unset or empty it is SIMD where that runs', () => {
    expect(CODEC_NAMES.map((name) => loadCodec(name)?.name)).toEqual([undefined, 'scalar', 'simd']);
    expect([loadCodec(undefined)?.name, loadCodec('')?.name]).toEqual(['simd', 'simd']);
    expect(wasmCodec?.name).toBe(loadCodec(process.env[CODEC_VARIABLE])?.name);
    expect(cutSlabs(SLAB_BYTES, 24)).toHaveLength(wasmCodec ? 24 : 0);
  });

  it('that names none is refused with the names that are known', () => {
    const error = refusalOf(() => loadCodec('SIMD'));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toBe("NESTJS_GRID_CODEC is 'SIMD', known are plain, scalar, simd");
  });

  /** What a process of its own says that loads the built package. */
  function processSays(flags: string[], codec?: string): Promise<Finished> {
    const script = `const { cutSlabs, crcOf } = await import('./dist/wire/index.js');
      console.log(cutSlabs(${SLAB_BYTES}, 24).length, crcOf(new Uint8Array(100), 0, 100));`;
    return run('node', [...flags, '--input-type=module', '-e', script], { env: { [CODEC_VARIABLE]: codec } });
  }

  it('is needed by nobody: without WebAssembly the plain codec does the work', async () => {
    const crc = xxh3Low(new Uint8Array(100), 0, 100) >>> 0;
    expect(await processSays([])).toMatchObject({ code: 0, stdout: `24 ${crc}\n` });
    expect(await processSays([], 'plain')).toMatchObject({ code: 0, stdout: `0 ${crc}\n` });
    expect(await processSays(['--jitless'])).toMatchObject({ code: 0, stdout: `0 ${crc}\n` });
  });

  it('that names what cannot run ends the start with an error', async () => {
    const { code, stderr } = await processSays(['--jitless'], 'simd');
    expect(code).not.toBe(0);
    expect(stderr).toContain("NESTJS_GRID_CODEC is 'simd': Error: this runtime has no WebAssembly");
  });
});
