import { describe, expect, it } from '@jest/globals';
import { closeCodeOf, decodeFrame, encodeMergedHeader, Flag, MERGED_HEADER_MAX, Op } from '../../lib/wire/index.js';
import {
  bytesOf,
  FULL_RULES,
  hexBytes,
  hexOf,
  mergedOf,
  messageOf,
  patternBytes,
  SUBROUTE,
  V1_RULES,
} from './build.js';
import { refusalOf } from './refusal.js';

const small = bytesOf(messageOf());

function refused(frame: Uint8Array): string {
  const error = refusalOf(() => decodeFrame(frame, FULL_RULES));
  expect([error.code, error.reason, closeCodeOf(error)]).toEqual(['INVALID_ARGUMENT', 'protocol', 1002]);
  return error.message;
}

describe('Merged', () => {
  it('keeps the order, the flags and the trailers of each item', () => {
    const messages = [
      messageOf({ muxId: 1, payload: patternBytes(300), flags: Flag.Crc }),
      messageOf({ muxId: 2n ** 60n, op: Op.AckMux }),
      messageOf({ muxId: 3, flags: Flag.Subroute | Flag.Crc, subroute: SUBROUTE, payload: patternBytes(3) }),
      messageOf({ muxId: 4, flags: Flag.Metadata | Flag.Eof, metadata: { a: '1' } }),
    ];
    const decoded = decodeFrame(mergedOf(messages.map(bytesOf)), FULL_RULES);
    expect(decoded.map(({ metadataBytes: _, ...message }) => message)).toEqual(messages);
  });

  it('may hold one message or none', () => {
    expect(decodeFrame(mergedOf([small]), V1_RULES)).toEqual([messageOf()]);
    expect(decodeFrame(mergedOf([]), V1_RULES)).toEqual([]);
  });

  it('reads items in every binary width', () => {
    for (const header of ['c409', 'c50009', 'c600000009']) {
      const frame = hexBytes(`97 00 01 00 00 11 00 c400 ${header} ${hexOf(small)}`);
      expect(decodeFrame(frame, V1_RULES)).toEqual([messageOf()]);
    }
  });

  it('reads 500,000 of the smallest messages in a loop', () => {
    const rules = { ...V1_RULES, frameMessages: 500_000 };
    expect(decodeFrame(mergedOf(Array.from({ length: 500_000 }, () => small)), rules)).toHaveLength(500_000);
  });

  it('refuses more messages than frameMessages before it looks at them, with 1002', () => {
    const rules = { ...V1_RULES, frameMessages: 2 };
    expect(decodeFrame(mergedOf([small, small]), rules)).toHaveLength(2);
    const error = refusalOf(() => decodeFrame(mergedOf([small, small, small]), rules));
    expect([error.code, error.reason, closeCodeOf(error)]).toEqual(['INVALID_ARGUMENT', 'limit', 1002]);
    expect(error.message).toBe('a frame of 3 messages, limits.frameMessages is 2');
  });

  it('H15 refuses 2^32-1 messages claimed in 20 bytes before it allocates anything', () => {
    const frame = hexBytes('97 00 ceffffffff 00 00 11 00 c400 c409 97 01 00 00 00');
    expect(frame.length).toBe(20);
    const unlimited = { ...V1_RULES, frameMessages: Infinity };
    for (const rules of [V1_RULES, unlimited]) refusalOf(() => decodeFrame(frame, rules));
    const before = process.memoryUsage();
    for (let i = 0; i < 100; i++) refusalOf(() => decodeFrame(frame, unlimited));
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1 << 20);
    expect(after.rss - before.rss).toBeLessThan(100 << 20);
  });

  it.each([
    ['fewer items than it says', mergedOf([small, small], 3)],
    ['more items than it says', mergedOf([small, small], 1)],
    ['bytes left over', Uint8Array.of(...mergedOf([small]), 0)],
    ['an item that is no binary', hexBytes(`97 00 01 00 00 11 00 c400 d909 ${hexOf(small)}`)],
    ['an item longer than the frame', hexBytes(`97 00 01 00 00 11 00 c400 c40a ${hexOf(small)}`)],
    ['an item of 4 GiB - 1', hexBytes(`97 00 01 00 00 11 00 c400 c6ffffffff ${hexOf(small)}`)],
    ['an item with a byte too much', mergedOf([Uint8Array.of(...small, 0)])],
    ['an item with a byte too few', mergedOf([small.subarray(0, 8), Uint8Array.of(...small, 0)])],
    ['an empty item', mergedOf([new Uint8Array(0), small, small])],
    ['an item whose payload reaches into the next', mergedOf([hexBytes('97 01 00 00 00 0e 00 c405'), small])],
    ['a muxId', hexBytes(`97 01 01 00 00 11 00 c400 c409 ${hexOf(small)}`)],
    ['a deadline', hexBytes(`97 00 01 01 00 11 00 c400 c409 ${hexOf(small)}`)],
    ['a handler', hexBytes(`97 00 01 00 01 11 00 c400 c409 ${hexOf(small)}`)],
    ['flags', hexBytes(`97 00 01 00 00 11 02 c400 c409 ${hexOf(small)}`)],
    ['a payload', hexBytes(`97 00 01 00 00 11 00 c40161 c409 ${hexOf(small)}`)],
  ])('is refused with %s', (_, frame) => {
    refused(frame);
  });

  it('is refused inside Merged, at any place and when empty', () => {
    const inner = mergedOf([small]);
    for (const items of [[inner], [small, inner], [inner, small], [mergedOf([])]]) {
      expect(refused(mergedOf(items))).toBe('Merged inside Merged');
    }
  });

  it('is refused with a CRC of its own', () => {
    refused(bytesOf(messageOf({ muxId: 0, seq: 0, op: Op.Merged, flags: Flag.Crc })));
  });

  it('has a head of at most MERGED_HEADER_MAX bytes', () => {
    expect(encodeMergedHeader(0xffff_ffff, new Uint8Array(100), 0)).toBe(MERGED_HEADER_MAX);
    expect(encodeMergedHeader(1, new Uint8Array(100), 50)).toBe(59);
  });
});
