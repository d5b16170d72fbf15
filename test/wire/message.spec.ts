import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  closeCodeOf,
  decodeFrame,
  encodeMessage,
  FIRST_OP,
  Flag,
  headSize,
  LAST_OP,
  maxEncodedSize,
  Op,
  trailerSize,
  type Message,
} from '../../lib/wire/index.js';
import { anyMessage } from './arbitrary.js';
import { bytesOf, FULL_RULES, hexBytes, hexOf, messageOf, patternBytes, SUBROUTE, V1_RULES } from './build.js';
import { refusalOf } from './refusal.js';

function decodeOne(bytes: Uint8Array, rules = V1_RULES): Message {
  const messages = decodeFrame(bytes, rules);
  expect(messages).toHaveLength(1);
  return messages[0]!;
}

function refused(hex: string, rules = V1_RULES): string {
  const error = refusalOf(() => decodeFrame(hexBytes(hex), rules));
  expect([error.code, error.reason, closeCodeOf(error)]).toEqual(['INVALID_ARGUMENT', 'protocol', 1002]);
  return error.message;
}

const ALL_OPS = Object.values(Op);
const CONNECTION_OPS: readonly Op[] = [Op.Connect, Op.ConnectResponse, Op.Disconnect, Op.Merged];
const CALL_OPS = ALL_OPS.filter((op) => op >= Op.ConnectMux && op <= Op.Response);

describe('the seven fields', () => {
  it('B19 shows nothing of an earlier message in a later one', () => {
    const full = messageOf({
      muxId: 77,
      seq: 5,
      deadlineMs: 9,
      handler: 60,
      flags: Flag.Crc | Flag.Eof | Flag.PayloadIsErr | Flag.Subroute | Flag.Metadata,
      payload: patternBytes(20),
      subroute: SUBROUTE,
      metadata: { a: 'b' },
    });
    const bare = messageOf({ muxId: 0, op: Op.Ping });
    const first = decodeOne(bytesOf(full), FULL_RULES);
    expect(decodeOne(bytesOf(bare), FULL_RULES)).toEqual(bare);
    expect(first).toEqual({ ...full, metadataBytes: 5 });
  });

  it('B19 copies a payload when it is encoded, so that its buffer can be used again', () => {
    const payload = patternBytes(100);
    const message = messageOf({ payload });
    const target = new Uint8Array(1000);
    const middle = encodeMessage(message, target, 0);
    payload.fill(1);
    const end = encodeMessage(message, target, middle);
    expect(decodeOne(target.subarray(0, middle)).payload).toEqual(patternBytes(100));
    expect(decodeOne(target.subarray(middle, end)).payload).toEqual(new Uint8Array(100).fill(1));
  });

  it('hands payload and subroute out as views of the frame', () => {
    const message = messageOf({ flags: Flag.Subroute | Flag.Crc, payload: patternBytes(10), subroute: SUBROUTE });
    const frame = Buffer.from(bytesOf(message));
    const decoded = decodeOne(frame);
    expect(decoded.payload?.buffer).toBe(frame.buffer);
    expect(decoded.subroute?.buffer).toBe(frame.buffer);
    expect(decoded.payload).toStrictEqual(Buffer.from(patternBytes(10)));
    expect(decoded.subroute).toStrictEqual(Buffer.from(SUBROUTE));
  });

  it.each([
    ['a positive fixint', '05', 5],
    ['uint8', 'cc05', 5],
    ['uint16', 'cd0005', 5],
    ['uint32', 'ce00000005', 5],
    ['uint64', 'cf0000000000000005', 5],
    ['int8', 'd005', 5],
    ['int16', 'd10105', 261],
    ['int32', 'd27fffffff', 2_147_483_647],
    ['int64', 'd30000000000000005', 5],
    ['uint64 of 2^53-1', 'cf001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['int64 of 2^53', 'd30020000000000000', 2n ** 53n],
    ['uint64 of 2^64-1', 'cfffffffffffffffff', 2n ** 64n - 1n],
  ])('reads a muxId as %s', (_, hex, muxId) => {
    expect(decodeOne(hexBytes(`97 ${hex} 00 00 00 0e 00 c400`)).muxId).toBe(muxId);
  });

  it('reads every other integer in every width that holds it', () => {
    const tags = ['cc', 'cd00', 'ce000000', 'cf00000000000000', 'd0', 'd100', 'd2000000', 'd300000000000000'];
    for (const tag of tags) {
      const message = decodeOne(hexBytes(`97 01 ${tag}07 ${tag}07 ${tag}07 ${tag}0a ${tag}02 c400`));
      expect(message).toEqual(messageOf({ seq: 7, deadlineMs: 7, handler: 7, op: Op.MuxServerMsg, flags: Flag.Eof }));
    }
  });

  it('reads a payload in every binary width, and writes the shortest', () => {
    for (const header of ['c403', 'c50003', 'c600000003']) {
      const message = decodeOne(hexBytes(`97 01 00 00 00 0e 00 ${header} 616263`));
      expect(hexOf(bytesOf(message))).toBe('97010000000e00c403616263');
    }
    const borders = { 255: 'c4ff', 256: 'c50100', 65535: 'c5ffff', 65536: 'c600010000' };
    for (const [length, header] of Object.entries(borders)) {
      const bytes = bytesOf(messageOf({ payload: new Uint8Array(Number(length)) }));
      expect(hexOf(bytes.subarray(7, 7 + header.length / 2))).toBe(header);
      expect(decodeOne(bytes).payload).toHaveLength(Number(length));
    }
  });

  it('tells an empty payload from none by its flag alone', () => {
    expect(decodeOne(hexBytes('97 01 00 00 00 0e 00 c400')).payload).toBeUndefined();
    expect(decodeOne(hexBytes('97 01 00 00 00 0e 10 c400')).payload).toEqual(new Uint8Array(0));
    expect(decodeOne(hexBytes('97 01 00 00 00 0e 10 c40161')).payload).toEqual(hexBytes('61'));
  });

  it.each([
    ['an empty frame', ''],
    ['an array of 6', '96 01 00 00 00 0e c400'],
    ['an array of 8', '98 01 00 00 00 0e 00 c400 c0'],
    ['an array of 7 in a wide header', 'dc0007 01 00 00 00 0e 00 c400'],
    ['a map', '87 01 00 00 00 0e 00 c400'],
    ['a negative muxId', '97 ff 00 00 00 0e 00 c400'],
    ['a negative muxId, int64', '97 d3ffffffffffffffff 00 00 00 0e 00 c400'],
    ['a negative seq, int8', '97 01 d0ff 00 00 0e 00 c400'],
    ['a muxId that is a float', '97 cb3ff0000000000000 00 00 00 0e 00 c400'],
    ['a muxId that is nil', '97 c0 00 00 00 0e 00 c400'],
    ['a seq of 2^32', '97 01 cf0000000100000000 00 00 0e 00 c400'],
    ['a seq of 2^64-1', '97 01 cfffffffffffffffff 00 00 0e 00 c400'],
    ['a deadline of 2^32', '97 01 00 cf0000000100000000 00 0e 00 c400'],
    ['a handler of 256', '97 01 00 00 cd0100 0e 00 c400'],
    ['op 256', '97 01 00 00 00 cd0100 00 c400'],
    ['flags of 256', '97 01 00 00 00 0e cd0100 c400'],
    ['a payload that is nil', '97 01 00 00 00 0e 00 c0'],
    ['a payload that is a string', '97 01 00 00 00 0e 00 a161'],
    ['a payload that is an array', '97 01 00 00 00 0e 00 90'],
    ['a payload longer than the frame', '97 01 00 00 00 0e 00 c402 61'],
    ['a payload of 4 GiB - 1', '97 01 00 00 00 0e 00 c6ffffffff 61'],
    ['a CRC that is not there', '97 01 00 00 00 0e 01 c400 00'],
    ['a subroute that is not there', '97 01 00 00 00 0e 20 c400 00'],
    ['H16 one byte left over', '97 01 00 00 00 0e 00 c400 00'],
    ['op 0', '97 01 00 00 00 00 00 c400'],
    ['op 18', '97 01 00 00 00 12 00 c400'],
  ])('refuses %s', (_, hex) => {
    refused(hex);
  });

  it('refuses a payload past messageBytes with the close code for it, one below not', () => {
    const rules = { ...V1_RULES, messageBytes: 100 };
    expect(decodeOne(bytesOf(messageOf({ payload: new Uint8Array(100) })), rules).payload).toHaveLength(100);
    const error = refusalOf(() => decodeFrame(bytesOf(messageOf({ payload: new Uint8Array(101) })), rules));
    expect([error.code, error.reason, closeCodeOf(error)]).toEqual(['OUT_OF_RANGE', 'limit', 1009]);
    expect(error.message).toBe('a payload of 101 bytes, limits.messageBytes is 100');
  });

  it('bounds the size of a message, whatever its fields', () => {
    const message = messageOf({
      muxId: 2n ** 64n - 1n,
      seq: 0xffff_ffff,
      deadlineMs: 0xffff_ffff,
      handler: 255,
      flags: 0xff,
      payload: new Uint8Array(70_000),
      subroute: SUBROUTE,
      metadata: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key ${i} ü`, 'x'.repeat(i * 30)])),
    });
    const target = new Uint8Array(maxEncodedSize(message) + 1).fill(0xee);
    const end = encodeMessage(message, target, 0);
    expect(end).toBeLessThanOrEqual(maxEncodedSize(message));
    expect(decodeOne(target.subarray(0, end), FULL_RULES).metadata).toEqual(message.metadata);
  });

  it('tells what stands around a payload, and writes it around one that stands there already', () => {
    const property = fc.property(anyMessage, fc.nat(50), (message, start) => {
      const copied = new Uint8Array(start + maxEncodedSize(message));
      const end = encodeMessage(message, copied, start);
      const payload = message.payload ?? new Uint8Array(0);
      expect(headSize(message) + payload.length + trailerSize(message)).toBe(end - start);
      const placed = new Uint8Array(copied.length);
      placed.set(payload, start + headSize(message));
      expect(encodeMessage(message, placed, start, true)).toBe(end);
      expect(Buffer.from(placed).equals(copied)).toBe(true);
    });
    fc.assert(property);
  });

  it('does not write a message whose flags promise what it does not have', () => {
    const target = new Uint8Array(100);
    for (const flags of [Flag.Subroute, Flag.Metadata]) {
      expect(refusalOf(() => encodeMessage(messageOf({ flags }), target, 0)).code).toBe('INTERNAL');
    }
  });
});

describe('ops and flags', () => {
  it('are all known, and no others', () => {
    expect(ALL_OPS).toHaveLength(LAST_OP - FIRST_OP + 1);
    for (const op of ALL_OPS) {
      const muxId = CALL_OPS.includes(op) ? 1 : 0;
      if (op !== Op.Merged) expect(decodeOne(bytesOf(messageOf({ muxId, op }))).op).toBe(op);
    }
  });

  it.each(CALL_OPS)('refuses call op %i with muxId 0', (op) => {
    expect(refused(hexOf(bytesOf(messageOf({ muxId: 0, op }))))).toBe(`op ${op} with muxId 0`);
  });

  it.each(CONNECTION_OPS)("refuses the connection's op %i with a call's muxId", (op) => {
    refused(hexOf(bytesOf(messageOf({ muxId: 1, op }))));
    refused(hexOf(bytesOf(messageOf({ muxId: 2n ** 60n, op }))));
  });

  it('takes pings and pongs of the connection and of calls', () => {
    for (const op of [Op.Ping, Op.Pong]) {
      for (const muxId of [0, 1]) expect(decodeOne(bytesOf(messageOf({ muxId, op }))).muxId).toBe(muxId);
    }
  });

  it.each(ALL_OPS)('takes METADATA on op %i only where the spec has it, and only where it is active', (op) => {
    const muxId = CONNECTION_OPS.includes(op) ? 0 : 1;
    const allowed: readonly Op[] = [Op.Request, Op.ConnectMux, Op.Response, Op.MuxConnectError];
    for (const flags of [Flag.Metadata, Flag.Metadata | Flag.Eof]) {
      const legal = allowed.includes(op) || (op === Op.MuxServerMsg && flags !== Flag.Metadata);
      const bytes = bytesOf(messageOf({ muxId, op, flags, metadata: { k: 'v' } }));
      if (legal) expect(decodeOne(bytes, FULL_RULES).metadata).toEqual({ k: 'v' });
      else refused(hexOf(bytes), FULL_RULES);
      refused(hexOf(bytes), V1_RULES);
    }
  });

  it.each(ALL_OPS)('takes MANY on op %i only for Request, and only where it is active', (op) => {
    const muxId = CONNECTION_OPS.includes(op) ? 0 : 1;
    const bytes = bytesOf(messageOf({ muxId, op, flags: Flag.Many }));
    if (op === Op.Request) expect(decodeOne(bytes, FULL_RULES).flags).toBe(Flag.Many);
    else refused(hexOf(bytes), FULL_RULES);
    refused(hexOf(bytes), V1_RULES);
  });

  it('H8 takes the CRC and its absence on every message', () => {
    for (const op of ALL_OPS) {
      if (op === Op.Merged) continue;
      const muxId = CALL_OPS.includes(op) ? 1 : 0;
      for (const flags of [0, Flag.Crc]) expect(decodeOne(bytesOf(messageOf({ muxId, op, flags }))).flags).toBe(flags);
    }
  });
});

describe('B25 the CRC is the last 4 bytes and covers all before them', () => {
  const payload = patternBytes(40);
  const combinations = [
    messageOf({ payload }),
    messageOf({ payload, flags: Flag.Crc }),
    messageOf({ payload, flags: Flag.Subroute, subroute: SUBROUTE }),
    messageOf({ payload, flags: Flag.Crc | Flag.Subroute, subroute: SUBROUTE }),
    messageOf({ payload, flags: Flag.Crc | Flag.Metadata, metadata: { a: 'b' } }),
    messageOf({ payload, flags: Flag.Crc | Flag.Subroute | Flag.Metadata, metadata: { a: 'b' }, subroute: SUBROUTE }),
  ];

  it.each(combinations)('flags $flags: round trip', (message) => {
    const decoded = decodeOne(bytesOf(message), FULL_RULES);
    expect(decoded).toEqual({ ...message, metadataBytes: message.metadata && 5 });
    expect(bytesOf(decoded)).toEqual(bytesOf(message));
  });

  const withCrc = combinations.filter(({ flags }) => flags & Flag.Crc);
  it.each(withCrc)('flags $flags: any flipped bit is refused', (message) => {
    const bytes = bytesOf(message);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      refusalOf(() => decodeFrame(damaged, FULL_RULES));
    }
  });

  it('a CRC that differs is DATA_LOSS and ends the connection with 1002', () => {
    const bytes = bytesOf(messageOf({ payload, flags: Flag.Crc }));
    bytes[20]! ^= 1;
    const error = refusalOf(() => decodeFrame(bytes, V1_RULES));
    expect([error.code, error.reason, closeCodeOf(error)]).toEqual(['DATA_LOSS', 'protocol', 1002]);
  });

  it('H16 a message whose CRC flag was taken off is refused for the 4 bytes left over', () => {
    const bytes = bytesOf(messageOf({ payload, flags: Flag.Crc }));
    bytes[6] = 0;
    expect(refused(hexOf(bytes))).toBe('4 bytes left over after a message');
  });
});
