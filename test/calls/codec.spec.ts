import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { bytes, json, msgpack, text, type Codec } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';
import { intoOf } from '../../lib/mux/index.js';

describe('bytes()', () => {
  it('takes any byte array as it is and gives a Buffer of the same memory', () => {
    const value = new Uint8Array([1, 2, 3]).subarray(1);
    expect(bytes().encode(value)).toBe(value);
    const decoded = bytes().decode(value);
    expect(Buffer.isBuffer(decoded)).toBe(true);
    expect(decoded).toEqual(Buffer.from([2, 3]));
    expect(decoded.buffer).toBe(value.buffer);
  });

  it.each([undefined, null, 'abc', 5, [1, 2], {}, new Uint16Array(1), new DataView(new ArrayBuffer(1))])(
    'refuses %p',
    (value) => {
      expect(() => bytes().encode(value as never)).toThrow(GridError);
    },
  );
});

describe('json()', () => {
  it.each([null, 5, 'ü', [1, { a: 'b' }], undefined])('round trips %p', (value) => {
    expect(json().decode(json().encode(value))).toEqual(value);
  });

  it('refuses what JSON cannot hold', () => {
    for (const value of [() => 1, Symbol('x')]) expect(() => json().encode(value)).toThrow('codec json() cannot hold');
  });
});

describe('text()', () => {
  it.each(['', 'abc', 'ü😀', '\uFEFFx'])('round trips %p', (value) => {
    expect(text().decode(text().encode(value))).toBe(value);
  });

  it('refuses what is no text, and bytes that are no UTF-8', () => {
    expect(() => text().encode(5 as never)).toThrow('codec text() takes a string');
    expect(() => text().decode(Buffer.from([0xff]))).toThrow();
  });
});

describe('into memory that is lent', () => {
  const anything = fc.oneof(
    fc.anything({ withDate: true, withMap: true, withSet: true, withBigInt: true, withTypedArray: true }),
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constant(undefined),
  );
  const codecs = { json: json(), msgpack: msgpack(), structured: msgpack({ structured: true }), text: text() };

  it.each(Object.entries(codecs))('%s writes what encode() gives if that has room, never beyond it', (_name, codec) => {
    const { encode } = codec as Codec;
    const into = intoOf(codec as Codec)!;
    const property = fc.property(anything, fc.nat(40), fc.nat(300), (value, at, room) => {
      const memory = Buffer.alloc(400, 0xaa);
      const expected = outcomeOf(() => encode(value));
      const written = outcomeOf(() => {
        const written = into(value, memory, at, at + room);
        return typeof written === 'number' ? memory.subarray(at, written) : written;
      });
      expect(written).toBe(expected);
      expect([...memory.subarray(0, at), ...memory.subarray(at + room)].every((byte) => byte === 0xaa)).toBe(true);
    });
    fc.assert(property);
  });

  it.each([
    ['json', json(), { a: ['ü', 1] }],
    ['msgpack', msgpack(), { a: ['ü', 1] }],
    ['text', text(), 'x'.repeat(100)],
  ] as [string, Codec, unknown][])('%s does so where there is room', (_name, codec, value) => {
    expect(typeof intoOf(codec)!(value, Buffer.alloc(400), 10, 400)).toBe('number');
  });
});

it('msgpack goes on in memory of its own with a value that turns out too long', () => {
  const before = msgpack().encode('x');
  const moved = intoOf(msgpack())!(['x'.repeat(300), 'y'.repeat(300)], Buffer.alloc(500), 0, 500) as Uint8Array;
  const after = msgpack().encode('x');
  expect(msgpack().decode(moved)).toEqual(['x'.repeat(300), 'y'.repeat(300)]);
  expect([moved.buffer, moved.byteOffset]).toEqual([before.buffer, before.byteOffset + before.length]);
  expect([after.buffer, after.byteOffset]).toEqual([moved.buffer, moved.byteOffset + moved.length]);
});

/** The bytes as hex, or what was thrown. */
function outcomeOf(encode: () => Uint8Array): string {
  try {
    return Buffer.from(encode()).toString('hex');
  } catch (thrown) {
    return String(thrown);
  }
}

it('any object with encode and decode is a codec', () => {
  const own: Codec<number> = { encode: (value) => Buffer.of(value), decode: (payload) => payload[0]! };
  expect(own.decode(own.encode(7))).toBe(7);
});
