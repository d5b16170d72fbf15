import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { WsReader } from '../../lib/connection/ws-reader.js';
import { joined } from '../../lib/wire/index.js';
import { patternBytes } from '../wire/build.js';

const MAX_BYTES = 70_000;
/** More than a frame gets at its second growth, however little of it had come. */
const LARGE_BYTES = 1_500_000;
const BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;

type Event = readonly ['frame' | 'control' | 'rest', string];

const eventOf = (kind: Event[0], bytes: Uint8Array): Event => [kind, Buffer.from(bytes).toString('base64')];

/** A WebSocket frame (RFC 6455 §5.2), masked with a key or not at all. */
function frameOf(first: number, payload: Uint8Array, key?: Buffer): Buffer {
  const { length } = payload;
  const size = length < 126 ? Buffer.alloc(0) : Buffer.alloc(length <= 0xffff ? 2 : 8);
  if (size.length === 2) size.writeUInt16BE(length);
  if (size.length === 8) size.writeBigUInt64BE(BigInt(length));
  const second = size.length === 0 ? length : size.length === 2 ? 126 : 127;
  const masked = key ? payload.map((byte, i) => byte ^ key[i % 4]!) : payload;
  return Buffer.concat([Buffer.from([first, second | (key ? 0x80 : 0)]), size, key ?? Buffer.alloc(0), masked]);
}

/** Where the bytes of a stream from one place to another come to stand. */
type Layout = (stream: Uint8Array) => (from: number, to: number) => Buffer;

/** Each piece in memory of its own, as Node reads. */
const apart: Layout = (stream) => (from, to) => Buffer.from(new Uint8Array(stream.subarray(from, to)).buffer);
/** All behind each other in one memory. */
const inOne: Layout = (stream) => {
  const copy = Buffer.from(stream);
  return (from, to) => copy.subarray(from, to);
};
/** Where they would stand in one memory, each in another. */
const atSamePlaces: Layout = (stream) => (from, to) => {
  const memory = Buffer.alloc(stream.length);
  memory.set(stream.subarray(from, to), from);
  return memory.subarray(from, to);
};

/** What a reader makes of a stream that is cut at these places. */
function read(
  stream: Uint8Array,
  cuts: readonly number[],
  masked: boolean,
  maxBytes = MAX_BYTES,
  layout = apart,
): Event[] {
  const events: Event[] = [];
  const pieceOf = layout(stream);
  const reader = new WsReader({
    masked,
    maxBytes,
    onFrame: (taken) => events.push(eventOf('frame', joined(taken))),
    onControl: (bytes) => events.push(eventOf('control', bytes)),
    onRest: (bytes) => events.push(eventOf('rest', bytes)),
  });
  const places = [...cuts, stream.length].toSorted((a, b) => a - b);
  let at = 0;
  for (const place of places) {
    // who takes the rest does so from the first piece of it on
    if (place > at && events.at(-1)?.[0] !== 'rest') reader.read(pieceOf(at, place));
    at = place;
  }
  return events;
}

/**
 * The same by who reads to where the reader says, and at most `most` bytes at a time; `inPlace`: so many came to there.
 */
function readTo(stream: Uint8Array, most: number, masked: boolean): { events: Event[]; inPlace: number } {
  const events: Event[] = [];
  const reader = new WsReader({
    masked,
    maxBytes: LARGE_BYTES,
    onFrame: (taken) => events.push(eventOf('frame', joined(taken))),
    onControl: (bytes) => events.push(eventOf('control', bytes)),
    onRest: (bytes) => events.push(eventOf('rest', bytes)),
  });
  let inPlace = 0;
  for (let at = 0; at < stream.length; ) {
    const room = reader.room();
    const piece = (room ?? Buffer.alloc(most)).subarray(0, Math.min(most, stream.length - at));
    piece.set(stream.subarray(at, at + piece.length));
    if (room) inPlace += piece.length;
    reader.read(piece);
    at += piece.length;
  }
  return { events, inPlace };
}

const key = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
const length = fc.oneof(
  { weight: 5, arbitrary: fc.nat({ max: 300 }) },
  fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, MAX_BYTES),
);
const frame = fc.record({ first: fc.constantFrom(BINARY, BINARY, BINARY, PING, PONG), length, key });

describe.each([
  ['masked', true],
  ['plain', false],
])('a reader of %s frames', (_, masked) => {
  const encoded = (first: number, payload: Uint8Array, mask: Buffer): Buffer =>
    frameOf(first, payload, masked ? mask : undefined);

  it('gives binary and control frames in their order, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, places) => {
        const stream: Buffer[] = [];
        const expected: Event[] = [];
        for (const { first, length: wanted, key: mask } of frames) {
          const payload = patternBytes(first === BINARY ? wanted : wanted % 126);
          const bytes = encoded(first, payload, mask);
          stream.push(bytes);
          expected.push(first === BINARY ? eventOf('frame', payload) : eventOf('control', bytes));
        }
        const whole = Buffer.concat(stream);
        const cuts = places.map((place) => place % (whole.length + 1));
        for (const layout of [apart, inOne, atSamePlaces]) {
          expect(read(whole, cuts, masked, MAX_BYTES, layout)).toEqual(expected);
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    [1_000, 1_300_000],
    [65_536, 1_300_000],
    [3_000_000, 0],
  ])('lets who reads up to %i bytes at a time put them where they belong', (most, least) => {
    const mask = Buffer.from('f1e2d3c4', 'hex');
    const lengths = [10, 200_000, 0, 65_536, LARGE_BYTES, 40_000, 700];
    const stream = Buffer.concat(lengths.map((bytes) => encoded(BINARY, patternBytes(bytes), mask)));
    const { events, inPlace } = readTo(stream, most, masked);
    expect(events).toEqual(lengths.map((bytes) => eventOf('frame', patternBytes(bytes))));
    // but for their first pieces and what is left at their ends
    expect(inPlace).toBeGreaterThanOrEqual(least);
  });

  it('does so at every two places', () => {
    const mask = Buffer.from('f1e2d3c4', 'hex');
    const [one, two] = [patternBytes(7), patternBytes(130)];
    const ping = encoded(PING, Buffer.from('hi'), mask);
    const stream = Buffer.concat([encoded(BINARY, one, mask), ping, encoded(BINARY, two, mask)]);
    const expected = [eventOf('frame', one), eventOf('control', ping), eventOf('frame', two)];
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second += 3) {
        for (const layout of [apart, inOne, atSamePlaces]) {
          const events = read(stream, [first, second], masked, MAX_BYTES, layout);
          expect([first, second, events]).toEqual([first, second, expected]);
        }
      }
    }
    expect(read(stream, [...stream.keys()], masked)).toEqual(expected);
  });

  it('puts a large one together from few pieces of any size', () => {
    const payload = patternBytes(LARGE_BYTES);
    const stream = encoded(BINARY, payload, Buffer.from('f1e2d3c4', 'hex'));
    const expected = [eventOf('frame', payload)];
    const place = fc.oneof(fc.nat(stream.length), fc.nat(300_000));
    fc.assert(
      fc.property(fc.array(place, { minLength: 2, maxLength: 5 }), (cuts) => {
        // not toEqual: a difference of megabytes is nothing to print
        expect(isDeepStrictEqual(read(stream, cuts, masked, LARGE_BYTES), expected)).toBe(true);
      }),
      // the first piece is larger than what a frame gets in advance; the third one larger than what it gets after that
      { numRuns: 30, examples: [[[200_000, 300_000]], [[30, 60]]] },
    );
  });

  const odd: [string, Buffer][] = [
    ['text', encoded(0x81, Buffer.from('hi'), Buffer.alloc(4))],
    ['the first of several frames', encoded(0x02, Buffer.alloc(2), Buffer.alloc(4))],
    ['a frame that continues nothing', encoded(0x80, Buffer.alloc(2), Buffer.alloc(4))],
    ['a goodbye', encoded(0x88, Buffer.from([0x03, 0xe8]), Buffer.alloc(4))],
    ['a reserved bit', encoded(0xc2, Buffer.alloc(2), Buffer.alloc(4))],
    ['an unknown opcode', encoded(0x83, Buffer.alloc(2), Buffer.alloc(4))],
    ['the other mask', frameOf(BINARY, Buffer.alloc(2), masked ? undefined : Buffer.alloc(4))],
    ['a ping with the other mask', frameOf(PING, Buffer.alloc(2), masked ? undefined : Buffer.alloc(4))],
    ['a ping that is too long', encoded(PING, Buffer.alloc(126), Buffer.alloc(4))],
    ['one byte too many', encoded(BINARY, Buffer.alloc(MAX_BYTES + 1), Buffer.alloc(4))],
    ['a length of 2^63', Buffer.from(masked ? '82ff8000000000000000' : '827f8000000000000000', 'hex')],
  ];

  it.each(odd)('leaves %s to `ws`, with all that follows, from its first byte on', (_name, bytes) => {
    const message = encoded(BINARY, patternBytes(9), Buffer.from('01020304', 'hex'));
    const stream = Buffer.concat([message, bytes, message]);
    for (let cut = 0; cut <= Math.min(stream.length, message.length + 20); cut++) {
      const [first, rest, ...more] = read(stream, [cut], masked);
      expect([cut, first, more]).toEqual([cut, eventOf('frame', patternBytes(9)), []]);
      expect([cut, rest![0]]).toEqual([cut, 'rest']);
      // up to where the piece ends: `ws` itself reads the pieces behind it
      const given = Buffer.from(rest![1], 'base64');
      expect(stream.indexOf(given, message.length)).toBe(message.length);
    }
  });

  it('takes no memory for what a frame only claims', () => {
    const claim = encoded(BINARY, Buffer.alloc(MAX_BYTES), Buffer.alloc(4));
    claim.writeBigUInt64BE(BigInt(2 ** 31), 2);
    const readers: WsReader[] = [];
    const ports = { masked, maxBytes: 2 ** 31, onFrame() {}, onControl() {}, onRest() {} };
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 20; i++) {
      const reader = new WsReader(ports);
      for (const cut of [14, 15, 40_000]) reader.read(Buffer.from(claim.subarray(0, cut)));
      readers.push(reader);
    }
    expect(readers).toHaveLength(20);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 256 * 1024);
  });

  it('reads nothing more once a taker threw: no payload is taken for a frame', () => {
    const inner = encoded(BINARY, patternBytes(3), Buffer.alloc(4));
    const outer = encoded(BINARY, inner, Buffer.alloc(4));
    const stream = Buffer.concat([encoded(BINARY, patternBytes(1), Buffer.alloc(4)), outer]);
    const lengths: number[] = [];
    const reader = new WsReader({
      masked,
      maxBytes: MAX_BYTES,
      onFrame(taken) {
        lengths.push(taken.length);
        throw new Error('of no use');
      },
      onControl() {},
      onRest() {},
    });
    const cut = stream.length - inner.length;
    expect(() => reader.read(Buffer.from(stream.subarray(0, cut)))).toThrow('of no use');
    reader.read(Buffer.from(stream.subarray(cut)));
    expect(lengths).toEqual([1]);
  });
});
