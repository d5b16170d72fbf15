import { describe, expect, it } from '@jest/globals';
import { bytes, json, text, type Codec } from '../../lib/calls/index.js';
import { GridError } from '../../lib/errors/index.js';

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

it('any object with encode and decode is a codec', () => {
  const own: Codec<number> = { encode: (value) => Buffer.of(value), decode: (payload) => payload[0]! };
  expect(own.decode(own.encode(7))).toBe(7);
});
