import { describe, expect, it } from '@jest/globals';
import {
  decodeCapacity,
  decodeConnectRequest,
  decodeConnectResponse,
  decodeErrorText,
  decodeMuxConnectError,
  decodePing,
  decodePong,
  encodeCapacity,
  encodeConnectRequest,
  encodeConnectResponse,
  encodeErrorText,
  encodeMuxConnectError,
  encodePing,
  encodePong,
  unixMs,
  wireTimeOf,
  type ConnectRequest,
  type ConnectResponse,
} from '../../lib/wire/index.js';
import { hexBytes, hexOf, patternBytes } from './build.js';
import { refusalOf } from './refusal.js';

const ID = patternBytes(16);
const TIME = { seconds: 1_700_000_000, nanos: 123_456_789 };
const request: ConnectRequest = { id: ID, host: 'http://ü:9000', time: TIME, token: 't'.repeat(300) };
const response: ConnectResponse = { id: ID, accepted: true, rejectedReason: '' };

const TIME_HEX = 'c70c05 000000006553f100 075bcd15';
const DEEP = '91'.repeat(100_000) + 'c0';

function str(text: string): string {
  return (0xa0 | Buffer.byteLength(text)).toString(16) + hexOf(Buffer.from(text));
}

/** The hex of a map with these keys and values (hex too). */
function map(pairs: Record<string, string>): string {
  const keys = Object.keys(pairs);
  return `${(0x80 | keys.length).toString(16)}${keys.map((key) => str(key) + pairs[key]).join('')}`;
}

const REQUEST_PAIRS = { ID: `c410${hexOf(ID)}`, Host: str('h'), Time: TIME_HEX, Token: str('t') };
const RESPONSE_PAIRS = { ID: `c410${hexOf(ID)}`, Accepted: 'c3', RejectedReason: 'a0' };
const SMALL_REQUEST = { id: ID, host: 'h', time: TIME, token: 't' };

function requestOf(pairs: Record<string, string>): ConnectRequest {
  return decodeConnectRequest(hexBytes(map(pairs)));
}

function expectViolation(action: () => unknown): void {
  const error = refusalOf(action);
  expect([error.code, error.reason]).toEqual(['INVALID_ARGUMENT', 'protocol']);
}

/** One value of each kind that a body could hold where it should not. */
const ODD_VALUES = ['c0', 'c3', '2a', 'ff', 'cb3ff0000000000000', 'a161', 'c40161', '9101', '81a16101', 'd40100'];

describe('ConnectRequest', () => {
  it('has its keys in the order of the spec, Ext and Max after them', () => {
    const bytes = encodeConnectRequest({ ...SMALL_REQUEST, ext: ['capacity', 'x'], max: 65_536 });
    const ext = `92${str('capacity')}${str('x')}`;
    const pairs = { ...REQUEST_PAIRS, Ext: ext, Max: 'ce00010000' };
    expect(hexOf(bytes)).toBe(map(pairs).replaceAll(' ', ''));
  });

  it.each([
    ['bare', request],
    ['with Ext', { ...request, ext: ['capacity', 'cancel', 'upgrade'] }],
    ['with an empty Ext', { ...request, ext: [] }],
    ['with Max', { ...request, max: 2 ** 40 }],
    ['with both', { ...request, ext: Array.from({ length: 64 }, (_, i) => `extension ${i}`), max: 16 << 20 }],
    ['with empty texts', { ...request, host: '', token: '' }],
  ])('%s comes back as it went', (_, body) => {
    expect(decodeConnectRequest(encodeConnectRequest(body))).toEqual(body);
  });

  it('is read with its keys in any order and others among them', () => {
    const pairs = Object.fromEntries(Object.entries(REQUEST_PAIRS).reverse());
    expect(requestOf(pairs)).toEqual(SMALL_REQUEST);
    for (const odd of [...ODD_VALUES, '9392c081a161c4000102', DEEP, TIME_HEX]) {
      expect(requestOf({ Unknown: odd, ...REQUEST_PAIRS, '': odd })).toEqual(SMALL_REQUEST);
    }
  });

  it('is read with keys that are no strings, or longer than any that is known', () => {
    const inner = map(REQUEST_PAIRS).slice(2);
    expect(decodeConnectRequest(hexBytes(`85 01 02 ${inner}`))).toEqual(SMALL_REQUEST);
    expect(decodeConnectRequest(hexBytes(`85 93010203 02 ${inner}`))).toEqual(SMALL_REQUEST);
    const longKey = `da7000${'61'.repeat(0x7000)}`;
    expect(decodeConnectRequest(hexBytes(`85 ${longKey} 02 ${inner}`))).toEqual(SMALL_REQUEST);
  });

  it('is read in the widest forms', () => {
    const wide = `df00000004 ${str('ID')}c600000010${hexOf(ID)} db00000004${hexOf(Buffer.from('Host'))}da000168
      d904${hexOf(Buffer.from('Time'))}c90000000c05${TIME_HEX.slice(6)} ${str('Token')}d90174`;
    expect(decodeConnectRequest(hexBytes(wide.replaceAll(/\s/g, '')))).toEqual(SMALL_REQUEST);
  });

  it.each([
    ['an integer', '2a'],
    ['nil', 'c0'],
    ['a map', '81a16101'],
    ['a string', str('capacity')],
    ['an array with something else in it', `92${str('a')}01`],
    ['an array in an array', `92${str('a')}90`],
    ['65 strings', `dc0041${str('a').repeat(65)}`],
    ['300 strings', `dd0000012c${str('a').repeat(300)}`],
  ])('Ext that is %s counts as absent', (_, hex) => {
    expect(requestOf({ Ext: hex, ...REQUEST_PAIRS })).toEqual(SMALL_REQUEST);
    expect(decodeConnectResponse(hexBytes(map({ Ext: hex, ...RESPONSE_PAIRS })))).toEqual(response);
  });

  it('Ext of 64 strings is read, in every array width, whatever its bytes', () => {
    for (const header of ['dc0040', 'dd00000040']) {
      expect(requestOf({ Ext: header + str('a').repeat(64), ...REQUEST_PAIRS }).ext).toHaveLength(64);
    }
    expect(requestOf({ Ext: `92a1ff${str('meta')}`, ...REQUEST_PAIRS }).ext).toEqual(['\ufffd', 'meta']);
  });

  it.each([
    ['65,535', 'cdffff'],
    ['0', '00'],
    ['negative', 'd3ffffffff00000000'],
    ['-1', 'ff'],
    ['a float', 'cb40f0000000000000'],
    ['nil', 'c0'],
    ['a string', str('65536')],
    ['an array', '91ce00010000'],
  ])('Max that is %s counts as absent', (_, hex) => {
    expect(requestOf({ Max: hex, ...REQUEST_PAIRS })).toEqual(SMALL_REQUEST);
    expect(decodeConnectResponse(hexBytes(map({ Max: hex, ...RESPONSE_PAIRS })))).toEqual(response);
  });

  it.each([
    ['ce00010000', 65_536],
    ['d200010000', 65_536],
    ['d30000000000010000', 65_536],
    ['cf0000000100000000', 2 ** 32],
    ['cfffffffffffffffff', 2 ** 64],
  ])('Max %s is read', (hex, max) => {
    expect(requestOf({ Max: hex, ...REQUEST_PAIRS }).max).toBe(max);
  });

  it.each([
    ['nothing', ''],
    ['nil', 'c0'],
    ['an array', '90'],
    ['a map without its pairs', '84'],
    ['2^32-1 pairs', `dfffffffff${map(REQUEST_PAIRS).slice(2)}`],
    ['bytes left over', `${map(REQUEST_PAIRS)}00`],
    ['an ID of 15 bytes', map({ ...REQUEST_PAIRS, ID: `c40f${'00'.repeat(15)}` })],
    ['an ID of 17 bytes', map({ ...REQUEST_PAIRS, ID: `c411${'00'.repeat(17)}` })],
    ['an ID that is a string', map({ ...REQUEST_PAIRS, ID: `b0${'61'.repeat(16)}` })],
    ['a Host that is no UTF-8', map({ ...REQUEST_PAIRS, Host: 'a1ff' })],
    ['a Token that is no UTF-8', map({ ...REQUEST_PAIRS, Token: 'a1ff' })],
    ['a Token that is a binary', map({ ...REQUEST_PAIRS, Token: 'c40161' })],
    ['a Host of 2^32-1 bytes', map({ ...REQUEST_PAIRS, Host: 'dbffffffff' })],
    ['a Time that is an integer', map({ ...REQUEST_PAIRS, Time: '2a' })],
    ['an unused type in an unknown key', map({ ...REQUEST_PAIRS, x: 'c1' })],
    ['an array of 2^32-1 in an unknown key', map({ ...REQUEST_PAIRS, x: 'ddffffffff' })],
    ['an array of 2^32-1 in Ext', map({ ...REQUEST_PAIRS, Ext: 'ddffffffff' })],
    ['nesting without an end', map({ ...REQUEST_PAIRS, x: '91'.repeat(100_000) })],
    ['maps in maps without an end', map({ ...REQUEST_PAIRS, x: '8180'.repeat(50_000) })],
  ])('is refused with %s', (_, hex) => {
    expectViolation(() => decodeConnectRequest(hexBytes(hex)));
  });

  it.each(['ID', 'Host', 'Time', 'Token'] as const)('is refused without its %s', (key) => {
    const { [key]: _, ...rest } = REQUEST_PAIRS;
    expect(refusalOf(() => requestOf(rest)).message).toBe(`ConnectRequest has no ${key}`);
  });

  it('is refused when there is no payload at all', () => {
    expectViolation(() => decodeConnectRequest(undefined));
  });
});

describe('ConnectResponse', () => {
  it.each([
    ['accepted', response],
    ['refused', { ...response, accepted: false, rejectedReason: 'unknown host: ü'.repeat(30) }],
    ['with abilities', { ...response, ext: ['capacity'], max: 1 << 20 }],
  ])('%s comes back as it went', (_, body) => {
    expect(decodeConnectResponse(encodeConnectResponse(body))).toEqual(body);
  });

  it('has a reason that people read, and needs none', () => {
    const garbled = decodeConnectResponse(hexBytes(map({ ...RESPONSE_PAIRS, RejectedReason: 'a26fff' })));
    expect(garbled.rejectedReason).toBe('o\ufffd');
    const { RejectedReason: _, ...rest } = RESPONSE_PAIRS;
    expect(decodeConnectResponse(hexBytes(map(rest)))).toEqual(response);
  });

  it('is refused without ID or Accepted, or with another type there', () => {
    for (const key of ['ID', 'Accepted'] as const) {
      const { [key]: _, ...rest } = RESPONSE_PAIRS;
      expectViolation(() => decodeConnectResponse(hexBytes(map(rest))));
      expectViolation(() => decodeConnectResponse(hexBytes(map({ ...RESPONSE_PAIRS, [key]: '01' }))));
    }
    expectViolation(() => decodeConnectResponse(undefined));
  });
});

describe('time', () => {
  it.each([
    ['type 5', TIME_HEX, TIME],
    ['type 5 before 1970', 'c70c05 ffffffffffffffff 3b9ac9ff', { seconds: -1, nanos: 999_999_999 }],
    ['type 5 in year 1', 'c70c05 fffffff1886e0900 00000000', { seconds: -62_135_596_800, nanos: 0 }],
    ['type 5 in ext16', 'c8000c05 000000006553f100 075bcd15', TIME],
    ['type -1 of 4 bytes', 'd6ff 6553f100', { seconds: 1_700_000_000, nanos: 0 }],
    ['type -1 of 4 bytes, after 2038', 'd6ff ffffffff', { seconds: 4_294_967_295, nanos: 0 }],
    ['type -1 of 8 bytes', 'd7ff 1d6f3454 6553f100', TIME],
    ['type -1 of 8 bytes, 34 bits of seconds', 'd7ff 00000003 00000000', { seconds: 3 * 2 ** 32, nanos: 0 }],
    ['type -1 of 12 bytes', 'c70cff 075bcd15 000000006553f100', TIME],
  ])('is read from %s', (_, hex, time) => {
    expect(requestOf({ ...REQUEST_PAIRS, Time: hex }).time).toEqual(time);
  });

  it.each([
    ['type 5 of 8 bytes', 'd705 0000000000000000'],
    ['type 5 of 16 bytes', `d805${'00'.repeat(16)}`],
    ['another type', 'c70c06 000000006553f100 075bcd15'],
    ['no bytes', 'c70005'],
    ['a billion nanoseconds', 'c70c05 000000006553f100 3b9aca00'],
    ['negative nanoseconds', 'c70c05 000000006553f100 ffffffff'],
    ['seconds that no number holds', 'c70c05 7fffffffffffffff 00000000'],
    ['more bytes than there are', 'c7ff05 00'],
  ])('is refused of %s', (_, hex) => {
    expectViolation(() => requestOf({ ...REQUEST_PAIRS, Time: hex }));
  });

  it('keeps every nanosecond, and milliseconds to and fro', () => {
    for (const time of [TIME, { seconds: -62_135_596_800, nanos: 1 }, { seconds: 2 ** 40, nanos: 999_999_999 }]) {
      expect(decodePing(encodePing({ time }))).toEqual({ time });
    }
    for (const ms of [0, 1, 999, 1000, 1_700_000_000_123, -1, -1500]) expect(unixMs(wireTimeOf(ms))).toBe(ms);
    expect(wireTimeOf(-1)).toEqual({ seconds: -1, nanos: 999_000_000 });
  });
});

describe('B26 pings and pongs of older and newer peers', () => {
  it.each([
    ['no payload', undefined],
    ['an empty map', '80'],
    ['another key', '81a16101'],
    ['a time of another kind', '81a1742a'],
    ['a time of a wrong size', '81a174d70500'],
    ['bytes that are no map', '2a'],
    ['a map cut short', '82a17401'],
    ['an unused type', '81a161c1'],
    ['nesting without an end', '81a161' + '91'.repeat(100_000)],
  ])('a ping with %s has no time and hurts nobody', (_, hex) => {
    expect(decodePing(hex === undefined ? undefined : hexBytes(hex))).toEqual({ time: undefined });
  });

  it('a ping with more than a time has the time', () => {
    expect(decodePing(hexBytes(`82 a161 c0 a174 ${TIME_HEX}`))).toEqual({ time: TIME });
    expect(decodePing(hexBytes(`81 a174 ${TIME_HEX} 0000`))).toEqual({ time: TIME });
    expect(decodePing(hexBytes('81 a174 d6ff6553f100'))).toEqual({ time: { seconds: 1_700_000_000, nanos: 0 } });
  });

  it.each([
    ['no payload', undefined, {}],
    ['no bytes', '', {}],
    ['an empty map', '80', {}],
    ['no time', `82 ${str('nf')}c3 ${str('e')}c0`, { notFound: true }],
    ['an error', `82 ${str('nf')}c2 ${str('e')}${str('gone')}`, { error: 'gone' }],
    ['a time alone', `81 a174 ${TIME_HEX}`, { time: TIME }],
    ['a key more', `83 ${str('new')}9101 ${str('nf')}c2 a174 ${TIME_HEX}`, { time: TIME }],
    ['a time of another kind', `82 ${str('nf')}c3 a174 2a`, { notFound: true }],
    ['bytes after the map', '80 c0c0', {}],
    ['an error text that is no UTF-8', `81 ${str('e')}a1ff`, { error: '\ufffd' }],
  ])('a pong with %s is read', (_, hex, facts) => {
    const pong = decodePong(hex === undefined ? undefined : hexBytes(hex));
    expect(pong).toEqual({ notFound: false, error: undefined, time: undefined, ...facts });
  });

  it.each([
    ['bytes that are no map', '2a'],
    ['nf that is no boolean', '81a26e6601'],
    ['e that is no text', '81a16501'],
  ])('a pong with %s is refused', (_, hex) => {
    expectViolation(() => decodePong(hexBytes(hex)));
  });

  it('comes back as it went', () => {
    for (const pong of [
      { notFound: false, error: undefined, time: TIME },
      { notFound: true, error: 'no such call ü', time: undefined },
      { notFound: false, error: '', time: { seconds: 0, nanos: 0 } },
    ]) {
      expect(decodePong(encodePong(pong))).toEqual(pong);
    }
    expect(encodePing({})).toEqual(hexBytes('80'));
  });
});

describe('capacity', () => {
  it('comes back as it went', () => {
    const most = 0xffff_ffff;
    for (const capacity of [
      { in: 0, out: 1 },
      { in: 128, out: 70_000 },
      { in: most, out: most },
    ]) {
      expect(decodeCapacity(encodeCapacity(capacity))).toEqual(capacity);
    }
    expect(hexOf(encodeCapacity({ in: 1, out: 2 }))).toBe('82a2696e01a36f757402');
  });

  it('is read in any order, in any width, with unknown keys', () => {
    expect(decodeCapacity(hexBytes(`83 ${str('out')}d30000000000000002 ${str('x')}90 ${str('in')}cc00`))).toEqual({
      in: 0,
      out: 2,
    });
  });

  it.each([
    ['no payload', ''],
    ['no in', map({ out: '01' })],
    ['no out', map({ in: '01' })],
    ['out 0', map({ in: '01', out: '00' })],
    ['a negative in', map({ in: 'ff', out: '01' })],
    ['an in of 2^32', map({ in: 'cf0000000100000000', out: '01' })],
    ['a float', map({ in: 'cb3ff0000000000000', out: '01' })],
    ['bytes left over', `${map({ in: '01', out: '01' })}00`],
    ['an array', '920101'],
  ])('is refused with %s', (_, hex) => {
    expectViolation(() => decodeCapacity(hexBytes(hex)));
  });
});

describe('error texts', () => {
  it('in a MuxConnectError come back as they went', () => {
    for (const text of ['', 'Invalid Handler', 'ü'.repeat(40_000), '\ufeffx']) {
      expect(decodeMuxConnectError(encodeMuxConnectError(text))).toBe(text);
    }
    expect(decodeMuxConnectError(hexBytes('80'))).toBe('');
    expect(decodeMuxConnectError(hexBytes(map({ x: DEEP, Error: 'a26fff' })))).toBe('o\ufffd');
  });

  it.each([
    ['no payload', ''],
    ['no map', '2a'],
    ['no text', '81a54572726f7201'],
    ['bytes left over', '8000'],
  ])('in a MuxConnectError with %s are refused', (_, hex) => {
    expectViolation(() => decodeMuxConnectError(hexBytes(hex)));
  });

  it('as a payload are cut at the border of a character', () => {
    expect(decodeErrorText(encodeErrorText('aüb', 100))).toBe('aüb');
    expect(decodeErrorText(encodeErrorText('aüb', 2))).toBe('a');
    expect(decodeErrorText(encodeErrorText('aüb', 3))).toBe('aü');
    expect(decodeErrorText(encodeErrorText('😀', 3))).toBe('');
    expect(encodeErrorText('x'.repeat(10_000), 4096)).toHaveLength(4096);
  });

  it('as a payload that is no UTF-8 show replacement characters', () => {
    expect(decodeErrorText(hexBytes('6fff'))).toBe('o\ufffd');
    expect(decodeErrorText(undefined)).toBe('');
  });
});
