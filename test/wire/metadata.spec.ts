import { describe, expect, it } from '@jest/globals';
import { decodeFrame, Flag, METADATA_BYTES, metadataSize, type Message, type Metadata } from '../../lib/wire/index.js';
import { collectGarbage } from '../garbage.js';
import { bytesOf, FULL_RULES, hexBytes, hexOf, messageOf, SUBROUTE } from './build.js';
import { refusalOf } from './refusal.js';

const HEAD = '97 01 00 00 00 0e 40 c400';

function decoded(mapHex: string): Message {
  return decodeFrame(hexBytes(HEAD + mapHex), FULL_RULES)[0]!;
}

function roundTrip(metadata: Metadata): Message {
  const frame = bytesOf(messageOf({ flags: Flag.Metadata | Flag.Crc, metadata }));
  return decodeFrame(frame, FULL_RULES)[0]!;
}

/** Metadata whose encoded map has so many bytes. */
function metadataOf(bytes: number): Metadata {
  const metadata = { key: 'x'.repeat(bytes - 8) };
  expect(metadataSize(metadata)).toBe(bytes);
  return metadata;
}

describe('metadata', () => {
  it('stands between the array and the subroute id, and the CRC covers it', () => {
    const message = messageOf({
      flags: Flag.Metadata | Flag.Subroute | Flag.Crc,
      payload: hexBytes('616263'),
      metadata: { k: 'v' },
      subroute: SUBROUTE,
    });
    const frame = bytesOf(message);
    expect(hexOf(frame.subarray(0, -4))).toBe(`97010000000e61c403616263${'81a16ba176'}${hexOf(SUBROUTE)}`);
    expect(decodeFrame(frame, FULL_RULES)).toEqual([{ ...message, metadataBytes: 5 }]);
    frame[14]! ^= 1;
    expect(refusalOf(() => decodeFrame(frame, FULL_RULES)).code).toBe('DATA_LOSS');
  });

  it.each([
    ['fixmap, fixstr', '81 a16b a176'],
    ['map16, str8', 'de0001 d9016b d90176'],
    ['map32, str16', 'df00000001 da00016b da000176'],
    ['fixmap, str32', '81 db000000016b db0000000176'],
  ])('is read in every width: %s', (_, hex) => {
    expect(decoded(hex).metadata).toEqual({ k: 'v' });
    expect(decoded(hex).metadataBytes).toBe(hexBytes(hex).length);
  });

  it('may be empty, and so may a key or a value', () => {
    expect(decoded('80').metadata).toEqual({});
    expect(decoded('81 a0 a0').metadata).toEqual({ '': '' });
    expect(roundTrip({}).metadata).toEqual({});
    expect(roundTrip({ '': 'x' }).metadata).toEqual({ '': 'x' });
  });

  it('keeps any key, those that every object has too', () => {
    const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '0'];
    const hex = names.map((name) => `${(0xa0 | name.length).toString(16)}${hexOf(Buffer.from(name))}a178`).join('');
    const { metadata } = decoded(`8${names.length}${hex}`);
    expect(Object.keys(metadata!).sort()).toEqual(names.sort());
    for (const name of names) expect(metadata![name]).toBe('x');
    expect(({} as Metadata)['x']).toBeUndefined();
    expect(metadata!['valueOf']).toBeUndefined();
  });

  it('keeps any text: a byte order mark, NUL, pairs, long values', () => {
    const long = 'ü'.repeat(3000);
    const metadata = { '\ufeffkey': '\ufeff', nul: '\0', emoji: '😀', long, odd: '\ufffd'.repeat(40) };
    expect(roundTrip(metadata).metadata).toEqual(metadata);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, `${i}`]));
    expect(roundTrip(many).metadata).toEqual(many);
  });

  it('keeps texts of every short length, with one character of another width at each place', () => {
    // from some length on they are read and written by other means
    const around = [32, 64].flatMap((length) => [-1, 0, 1, 2].map((more) => length + more));
    for (const length of [...Array.from({ length: 30 }, (_, i) => i + 1), ...around]) {
      for (const other of ['', '\x7f', '\u0080', 'é', '\ufeff', '\ufffd', '€', '😀']) {
        for (let at = 0; at < length; at++) {
          const text = `${'k'.repeat(at)}${other}${'v'.repeat(length - at - 1)}`;
          expect(roundTrip({ [text]: text }).metadata).toEqual({ [text]: text });
        }
      }
    }
  });

  it.each([12, 32, 33, 65])('of %i bytes is refused with one that is no UTF-8, wherever it stands', (length) => {
    for (let at = 0; at < length; at++) {
      const bad = Buffer.alloc(length, 'k').fill(0xff, at, at + 1);
      const hex = `d9${length.toString(16).padStart(2, '0')}${hexOf(bad)}`;
      for (const map of [`81 ${hex} a0`, `81 a0 ${hex}`]) {
        expect(refusalOf(() => decoded(map)).message).toContain('is not valid UTF-8');
      }
    }
  });

  it.each([
    ['a key twice', '82 a16b a176 a16b a177'],
    ['the empty key twice', '82 a0 a0 a0 a0'],
    ['"__proto__" twice', `82 a9${hexOf(Buffer.from('__proto__'))}a0 a9${hexOf(Buffer.from('__proto__'))}a0`],
    ['a value that is nil', '81 a16b c0'],
    ['a value that is an integer', '81 a16b 01'],
    ['a value that is a binary', '81 a16b c40176'],
    ['a value that is a map', '81 a16b 80'],
    ['a key that is a binary', '81 c4016b a176'],
    ['a key that is an integer', '81 01 a176'],
    ['a key that is no UTF-8', '81 a1ff a176'],
    ['a value that is no UTF-8', '81 a16b a2c328'],
    ['a value that is a lone surrogate in UTF-8', '81 a16b a3eda080'],
    ['an array for the map', '90'],
    ['nil for the map', 'c0'],
    ['nothing', ''],
    ['bytes left over', '80 00'],
    ['fewer pairs than it says', '82 a16b a176'],
    ['more pairs than it says', '80 a16b a176'],
    ['65,535 pairs that are not there', 'deffff a16b a176'],
    ['2^32-1 pairs that are not there', 'dfffffffff a16b a176'],
    ['a string of 2^32-1 bytes', '81 a16b dbffffffff'],
  ])('is refused with %s', (_, hex) => {
    const error = refusalOf(() => decoded(hex));
    expect([error.code, error.reason]).toEqual(['INVALID_ARGUMENT', 'protocol']);
  });

  it('of 8,192 bytes is read, of one more the message parses and tells the size only', () => {
    const atCap = roundTrip(metadataOf(METADATA_BYTES));
    expect([atCap.metadata, atCap.metadataBytes]).toEqual([metadataOf(METADATA_BYTES), 8192]);
    for (const bytes of [METADATA_BYTES + 1, 60_000]) {
      const past = roundTrip(metadataOf(bytes));
      expect([past.metadata, past.metadataBytes]).toEqual([{}, bytes]);
    }
  });

  it('of many small pairs past the cap is walked to its end', () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, '']));
    const frame = bytesOf(messageOf({ flags: Flag.Metadata, metadata: many }));
    expect(decodeFrame(frame, FULL_RULES)[0]).toMatchObject({ metadata: {}, metadataBytes: metadataSize(many) });
    refusalOf(() => decodeFrame(frame.subarray(0, -1), FULL_RULES));
    refusalOf(() => decodeFrame(Buffer.concat([frame, Uint8Array.of(0)]), FULL_RULES));
    frame[frame.length - 1] = 0xc0;
    refusalOf(() => decodeFrame(frame, FULL_RULES));
  });

  it('takes no memory for numbers that are not there: an engine keeps such names in a list', () => {
    const frame = hexBytes(`${HEAD} 81 a4 ${hexOf(Buffer.from('1023'))} a176`);
    const count = 2_000;
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const messages = Array.from({ length: count }, () => decodeFrame(frame, FULL_RULES)[0]!);
    collectGarbage();
    // 12 KB where there is room for all numbers up to 1,023
    expect((process.memoryUsage().heapUsed - before) / count).toBeLessThan(2_048);
    expect(messages[count - 1]!.metadata).toEqual({ 1023: 'v' });
  });

  it('with a lone surrogate is refused at the sender: two such keys would become one', () => {
    for (const metadata of [{ '\ud800': 'x' }, { x: 'a\udc00' }] as Metadata[]) {
      expect(refusalOf(() => metadataSize(metadata)).code).toBe('INVALID_ARGUMENT');
    }
  });
});
