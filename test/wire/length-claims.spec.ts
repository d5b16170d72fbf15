import { describe, expect, it } from '@jest/globals';
import {
  decodeCapacity,
  decodeConnectRequest,
  decodeConnectResponse,
  decodeFrame,
  decodeMuxConnectError,
  METADATA_BYTES,
} from '../../lib/wire/index.js';
import { FULL_RULES, hexBytes, hexOf, V1_RULES } from './build.js';
import { refusalOf } from './refusal.js';

/** H15: a length is compared with what is allowed, and with what is there, before anything is made of that size. */

const text = (content: string): string => hexOf(Buffer.from(content));
const key = (name: string): string => (0xa0 | name.length).toString(16) + text(name);
const hex32 = (length: number): string => length.toString(16).padStart(8, '0');
const LARGEST = 2 ** 32 - 1;

/** Runs it often: what it would have allocated each time would be seen. */
function refusedForNothing(action: () => unknown): void {
  const before = process.memoryUsage();
  for (let i = 0; i < 50; i++) refusalOf(action);
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1 << 20);
  expect(after.heapUsed - before.heapUsed).toBeLessThan(64 << 20);
}

describe('H15 the payload of a message', () => {
  const rules = { ...V1_RULES, messageBytes: 1_000 };
  /** A Request whose bin claims so many bytes in the given width, and has so many. */
  const frame = (width: 'c5' | 'c6', claim: number, has: number): Uint8Array => {
    const length = width === 'c5' ? hex32(claim).slice(4) : hex32(claim);
    return hexBytes(`97 01 00 00 00 0e 00 ${width}${length}${'61'.repeat(has)}`);
  };

  it.each([
    ['c5', 0xffff],
    ['c6', LARGEST],
  ] as const)('claimed as %s: at the cap it is read, past it or past its bytes it is not', (width, largest) => {
    expect(decodeFrame(frame(width, 1_000, 1_000), rules)[0]!.payload).toHaveLength(1_000);
    refusedForNothing(() => decodeFrame(frame(width, 1_001, 1_001), rules));
    refusedForNothing(() => decodeFrame(frame(width, 1_000, 999), rules));
    for (const messageBytes of [1_000, Infinity]) {
      refusedForNothing(() => decodeFrame(frame(width, largest, 10), { ...rules, messageBytes }));
    }
  });
});

describe('H15 the count of a Merged', () => {
  const item = '97 01 00 00 00 0e 00 c400'.replaceAll(' ', '');
  const frame = (claim: number, has: number): Uint8Array =>
    hexBytes(`97 00 ce${hex32(claim)} 00 00 11 00 c400 ${`c409${item}`.repeat(has)}`);
  const rules = { ...V1_RULES, frameMessages: 100 };

  it('at the cap it is read, past it or past its items it is not', () => {
    expect(decodeFrame(frame(100, 100), rules)).toHaveLength(100);
    refusedForNothing(() => decodeFrame(frame(101, 101), rules));
    refusedForNothing(() => decodeFrame(frame(100, 99), rules));
    for (const frameMessages of [100, Infinity]) {
      refusedForNothing(() => decodeFrame(frame(LARGEST, 1), { ...rules, frameMessages }));
    }
  });

  it.each(['c4ff', 'c5ffff', 'c6ffffffff'])('an item that claims %s is refused', (header) => {
    refusedForNothing(() => decodeFrame(hexBytes(`97 00 01 00 00 11 00 c400 ${header}${item}`), rules));
  });
});

describe('H15 the metadata of a message', () => {
  const frame = (map: string): Uint8Array => hexBytes(`97 01 00 00 00 0e 40 c400 ${map}`);
  const ofBytes = (bytes: number): string =>
    `81${key('key')}da${(bytes - 8).toString(16).padStart(4, '0')}${'78'.repeat(bytes - 8)}`;

  it('tells its size, by which the mux refuses what is past the cap', () => {
    for (const size of [METADATA_BYTES, METADATA_BYTES + 1]) {
      expect(decodeFrame(frame(ofBytes(size)), FULL_RULES)[0]!.metadataBytes).toBe(size);
    }
  });

  it.each([
    ['a map', `df${hex32(LARGEST)}${key('a')}${key('b')}`],
    ['a map of 16 bits', `deffff${key('a')}${key('b')}`],
    ['a key', `81db${hex32(LARGEST)}6161`],
    ['a value', `81${key('a')}db${hex32(LARGEST)}6161`],
  ])('%s of the largest size, with next to nothing in it, is refused', (_, map) => {
    refusedForNothing(() => decodeFrame(frame(map), FULL_RULES));
  });
});

describe('H15 the body of a handshake or of a refusal', () => {
  const claims: [string, string][] = [
    ['a map', `df${hex32(LARGEST)}${key('ID')}c4100000`],
    ['a map of 16 bits', `deffff${key('ID')}c41000`],
    ['a key', `81db${hex32(LARGEST)}4944`],
    ['bytes', `81${key('ID')}c6${hex32(LARGEST)}0000`],
    ['a text', `81${key('Host')}db${hex32(LARGEST)}6161`],
    ['a list', `81${key('Ext')}dd${hex32(LARGEST)}a161`],
    ['an unknown list', `81${key('Zz')}dd${hex32(LARGEST)}a161`],
    ['an unknown map', `81${key('Zz')}df${hex32(LARGEST)}a161a161`],
    ['unknown bytes', `81${key('Zz')}c6${hex32(LARGEST)}00`],
    ['an unknown extension type', `81${key('Zz')}c9${hex32(LARGEST)}0500`],
  ];

  it.each(claims)('%s of the largest size, with next to nothing in it, is refused', (_, hex) => {
    for (const decode of [decodeConnectRequest, decodeConnectResponse, decodeCapacity, decodeMuxConnectError]) {
      refusedForNothing(() => decode(hexBytes(hex)));
    }
  });
});
