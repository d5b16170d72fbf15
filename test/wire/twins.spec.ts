import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { GridError } from '../../lib/errors/index.js';
import { maskPlainly } from '../../lib/wire/frame-memory.js';
import { decodePlainFrame } from '../../lib/wire/frame.js';
import { Flag, Op, type DecodeRules, type Message } from '../../lib/wire/index.js';
import { putHead } from '../../lib/wire/message-codec.js';
import { WasmCodec } from '../../lib/wire/wasm-codec.js';
import { xxh3Low } from '../../lib/wire/xxh3.js';
import { volume } from '../scale.js';
import { anyMessage } from './arbitrary.js';
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
  vectorsOf,
} from './build.js';

const twins = [new WasmCodec('scalar'), new WasmCodec('simd')];
const SCRATCH_BYTES = 256 * 1024;

function plain(frame: Uint8Array, rules: DecodeRules): Message[] | undefined {
  try {
    return decodePlainFrame(frame, rules);
  } catch (error) {
    if (GridError.is(error)) return undefined;
    throw error;
  }
}

/**
 * Holds both WebAssembly codecs against the plain one: what that refuses they leave to it, and what they do not leave
 * to it are the same messages. Returns how many of the two knew the frame.
 */
function compare(frame: Uint8Array, rules: DecodeRules = FULL_RULES): number {
  const wanted = plain(frame, rules);
  let known = 0;
  for (const twin of twins) {
    const messages = twin.decodeFrame(frame, rules);
    if (messages === undefined) continue;
    known++;
    // not expect: it is called half a million times
    if (!isDeepStrictEqual(messages, wanted)) {
      expect({ codec: twin.name, frame: hexOf(frame), messages }).toEqual({ codec: 'plain', messages: wanted });
    }
    if (messages.some(({ payload }) => payload && payload.length > 0 && payload.buffer !== frame.buffer)) {
      throw new Error(`${twin.name}: a payload outside of its frame`);
    }
  }
  return known;
}

function expectKnown(frame: Uint8Array, rules?: DecodeRules): void {
  if (compare(frame, rules) !== 2) throw new Error(`left to the plain codec: ${hexOf(frame.subarray(0, 100))}`);
}

/** Whether the codecs need not ask the plain one. */
function isUsual({ muxId }: Message): boolean {
  return typeof muxId === 'number';
}

const vectors = vectorsOf<{ messages: { name: string; frame?: string }[]; merged: { frame: string }[] }>('wire-v1');
const recorded = [...vectors.messages, ...vectors.merged].flatMap(({ frame }) => (frame ? [hexBytes(frame)] : []));

const hot = [
  messageOf({ muxId: 300, flags: Flag.Crc | Flag.Eof, deadlineMs: 60_000, handler: 255, payload: patternBytes(70) }),
  messageOf({ muxId: 2 ** 40, op: Op.Response, flags: Flag.Crc | Flag.PayloadIsZero }),
  messageOf({ op: Op.MuxServerMsg, seq: 70_000, flags: Flag.Crc, payload: patternBytes(300) }),
  messageOf({ flags: Flag.Crc | Flag.Subroute | Flag.Many, payload: patternBytes(3), subroute: SUBROUTE }),
  messageOf({ flags: Flag.Crc | Flag.Metadata | Flag.Eof, metadata: { traceparent: 'x' }, payload: patternBytes(9) }),
  messageOf({ muxId: 0, op: Op.Ping, deadlineMs: 10_000 }),
];

describe('the frame decoder in WebAssembly and its plain twin', () => {
  it('agree on every recorded frame, and leave only muxIds past 2^53 to the plain one', () => {
    for (const frame of recorded) {
      const isUsualFrame = decodePlainFrame(frame, V1_RULES).every(isUsual);
      expect([hexOf(frame), compare(frame, V1_RULES)]).toEqual([hexOf(frame), isUsualFrame ? 2 : 0]);
    }
  });

  it('agree on every op with every flag, with extensions and without', () => {
    for (let op = 0; op < 20; op++) {
      for (let flags = 0; flags < 256; flags++) {
        for (const muxId of [0, 1]) {
          const metadata = flags & Flag.Metadata ? { k: 'v' } : undefined;
          const subroute = flags & Flag.Subroute ? SUBROUTE : undefined;
          const message = messageOf({ muxId, op: op as Op, flags, metadata, subroute, payload: patternBytes(3) });
          const frame = bytesOf(message);
          for (const rules of [V1_RULES, FULL_RULES]) {
            const isLegal = plain(frame, rules) !== undefined;
            if (compare(frame, rules) !== (isLegal ? 2 : 0)) throw new Error(`op ${op}, flags ${flags}`);
          }
        }
      }
    }
  });

  it('agree on payloads of every length up to 600 and around the borders', () => {
    const borders = [1023, 1024, 1025, 4114, 65_535, 65_536, SCRATCH_BYTES - 17, SCRATCH_BYTES - 16];
    for (const length of [...Array(601).keys(), ...borders]) {
      expectKnown(bytesOf(messageOf({ flags: Flag.Crc, payload: patternBytes(length) })));
    }
    const larger = bytesOf(messageOf({ flags: Flag.Crc, payload: patternBytes(SCRATCH_BYTES) }));
    expect(compare(larger)).toBe(0);
  });

  it('agree on any message and on any Merged', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 12 }), (messages) => {
        const frames = [...messages.map(bytesOf), mergedOf(messages.map(bytesOf))];
        for (const frame of frames) compare(frame);
        for (const message of messages.filter(isUsual)) expectKnown(bytesOf(message));
        if (messages.every(isUsual)) expectKnown(mergedOf(messages.map(bytesOf)));
      }),
      { numRuns: volume(300, 5000) },
    );
  });

  it('agree on the bounds of the rules', () => {
    const items = [messageOf({ payload: patternBytes(100) }), messageOf({ payload: patternBytes(99) }), messageOf()];
    const frame = mergedOf(items.map(bytesOf));
    for (const messageBytes of [0, 98, 99, 100, 101, 2 ** 32, 2 ** 53, Infinity]) {
      for (const frameMessages of [0, 1, 2, 3, 4, 2 ** 32, Infinity]) {
        const isAllowed = messageBytes >= 100 && frameMessages >= 3;
        expect(compare(frame, { ...V1_RULES, messageBytes, frameMessages })).toBe(isAllowed ? 2 : 0);
      }
    }
  });

  it('agree on as many messages as the table has rows; more are left to the plain one', () => {
    const small = bytesOf(messageOf());
    for (const [count, known] of [[0, 2], [1, 2], [4096, 2], [4097, 0]] as const) {
      expect(compare(mergedOf(Array.from({ length: count }, () => small)))).toBe(known);
    }
  });

  it('agree on frames that are cut or prolonged at any place', () => {
    for (const frame of [...hot.map(bytesOf), mergedOf(hot.map(bytesOf)), mergedOf([])]) {
      expectKnown(frame);
      for (let length = 0; length < frame.length; length++) {
        compare(frame.subarray(0, length));
        // the same bytes in a frame of the old length: what follows is a stranger's
        compare(Buffer.concat([frame.subarray(0, length), patternBytes(frame.length - length)]));
      }
      compare(Buffer.concat([frame, Uint8Array.of(0)]));
    }
  });

  it('agree on every single bit that is flipped', () => {
    for (const frame of [...hot.map(bytesOf), mergedOf(hot.map(bytesOf))]) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const damaged = frame.slice();
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        compare(damaged);
      }
    }
  });

  it('agree on Merged inside Merged, which nobody takes', () => {
    const small = bytesOf(messageOf());
    const inner = mergedOf([small]);
    for (const items of [[inner], [small, inner], [inner, small], [mergedOf([])], [mergedOf([], 1)]]) {
      expect(compare(mergedOf(items))).toBe(0);
    }
  });

  it('agree on lengths that lie', () => {
    const lies = ['c400', 'c4ff', 'c50000', 'c5ffff', 'c600000000', 'c6ffffffff', 'c680000000', 'c67fffffff'];
    for (const payload of [...lies, 'c6', 'c5ff']) {
      for (const rest of ['', '00', 'c40161']) {
        compare(hexBytes(`97 01 00 00 00 0e 00 ${payload}${rest}`));
        compare(hexBytes(`97 00 01 00 00 11 00 c400 ${payload} 97 01 00 00 00 0e 00 c400${rest}`));
      }
    }
    for (const count of ['00', '02', '7f', 'ccff', 'cdffff', 'ceffffffff', 'ce80000000', 'cf0000000100000001']) {
      compare(hexBytes(`97 00 ${count} 00 00 11 00 c400 c409 97 01 00 00 00 0e 00 c400`));
    }
  });

  it('agree on integers of every width in every field', () => {
    const widths = ['05', 'cc05', 'cd0005', 'ce00000005', 'cf0000000000000005', 'd005', 'd10005', 'd200000005'];
    const large = ['ccff', 'cd0100', 'ceffffffff', 'cf0000000100000000', 'cf001fffffffffffff', 'cf0020000000000000'];
    for (let field = 0; field < 6; field++) {
      for (const value of [...widths, ...large, 'ff', 'c0']) {
        const fields = ['01', '00', '00', '00', '0e', '02'];
        fields[field] = value;
        compare(hexBytes(`97 ${fields.join(' ')} c40161`));
        compare(hexBytes(`97 ${fields.join(' ')} c400`));
      }
    }
  });

  it('agree on random bytes, alone, as a tail, and written into a frame', () => {
    const junks = fc.uint8Array({ maxLength: 300 });
    const parts = [junks, fc.nat(18), fc.nat(255), fc.nat(1), anyMessage, fc.nat()] as const;
    fc.assert(
      fc.property(...parts, (junk, op, flags, muxId, message, at) => {
        compare(junk);
        compare(Uint8Array.of(0x97, muxId, 0, 0, 0, op, ...(flags < 128 ? [flags] : [0xcc, flags]), 0xc4, 0, ...junk));
        const bare = bytesOf({ ...message, flags: message.flags & ~Flag.Crc });
        const frame = mergedOf([bare, bare]);
        const patch = junk.subarray(0, 8);
        frame.set(patch.subarray(0, frame.length - (at % frame.length)), at % frame.length);
        compare(frame);
      }),
      { numRuns: volume(2000, 50_000) },
    );
  });

  it('read what was unmasked just before, whatever else was done meanwhile', () => {
    const key = 0xf1e2_d3c4;
    const other = patternBytes(1_000);
    for (const twin of twins) {
      const masked = (fill: number): Uint8Array => {
        const frame = Buffer.from(bytesOf(messageOf({ flags: Flag.Crc, payload: new Uint8Array(300).fill(fill) })));
        maskPlainly(frame, key);
        return frame;
      };
      const first = (frame: Uint8Array): unknown => twin.decodeFrame(frame, FULL_RULES)?.[0]!.payload![0];
      for (const between of [
        () => {},
        () => twin.mask(masked(3), key),
        () => twin.crcOf(other, 0, other.length),
        () => twin.decodeFrame(bytesOf(messageOf({ payload: other })), FULL_RULES),
        () => twin.mask(patternBytes(2 * SCRATCH_BYTES), key),
      ]) {
        const [one, two] = [masked(1), masked(2)];
        twin.mask(one, key);
        between();
        expect([twin.name, first(one), first(one)]).toEqual([twin.name, 1, 1]);
        twin.mask(two, key);
        between();
        expect([twin.name, first(one), first(two)]).toEqual([twin.name, 1, 2]);
      }
    }
  });

  it('read nothing of an earlier frame', () => {
    for (const twin of twins) {
      for (const fill of [0x00, 0x97, 0xff]) {
        twin.decodeFrame(new Uint8Array(SCRATCH_BYTES).fill(fill), FULL_RULES);
        for (const frame of hot.map(bytesOf)) {
          expect(twin.decodeFrame(frame, FULL_RULES)).toStrictEqual(decodePlainFrame(frame, FULL_RULES));
          expect(twin.decodeFrame(frame.subarray(0, -1), FULL_RULES)).toBeUndefined();
        }
      }
    }
  });

  it('leave metadata that does not parse to the plain one, which refuses it', () => {
    for (const metadata of ['', 'c0', '82a16ba176a16ba176', '81a16b', '80c0', '81a1ffa176', '8001']) {
      expect(compare(hexBytes(`97 01 00 00 00 0e 40 c400 ${metadata}`))).toBe(0);
    }
  });
});

describe('a received payload', () => {
  it('is a Buffer like any other, and a view of the frame, whoever decoded it', () => {
    const message = messageOf({ flags: Flag.Subroute | Flag.Crc, payload: patternBytes(10), subroute: SUBROUTE });
    const frame = Buffer.from(bytesOf(message)).subarray();
    for (const decode of [decodePlainFrame, ...twins.map((twin) => twin.decodeFrame.bind(twin))]) {
      const [decoded] = decode(frame, V1_RULES)!;
      for (const [view, bytes] of [[decoded!.payload, patternBytes(10)], [decoded!.subroute, SUBROUTE]] as const) {
        expect(view).toStrictEqual(Buffer.from(bytes));
        expect(isDeepStrictEqual(view, Buffer.from(bytes))).toBe(true);
        expect(Buffer.isBuffer(view)).toBe(true);
        expect((view as Buffer).toString('hex')).toBe(hexOf(bytes));
        expect(view!.buffer).toBe(frame.buffer);
      }
    }
  });

  it('never keeps more than 64 KiB alive, nor more than twice its size', () => {
    const large = new Uint8Array(100_000);
    const inLarge = (message: Message): Uint8Array => {
      const bytes = bytesOf(message);
      large.set(bytes, 500);
      return large.subarray(500, 500 + bytes.length);
    };
    const flags = Flag.Subroute | Flag.Crc;
    for (const decode of [decodePlainFrame, ...twins.map((twin) => twin.decodeFrame.bind(twin))]) {
      for (const bytes of [10, 49_999, 50_000]) {
        const message = messageOf({ flags, payload: patternBytes(bytes), subroute: SUBROUTE });
        const [decoded] = decode(inLarge(message), V1_RULES)!;
        expect(decoded!.payload).toStrictEqual(Buffer.from(patternBytes(bytes)));
        expect(decoded!.subroute).toStrictEqual(Buffer.from(SUBROUTE));
        expect(decoded!.payload!.buffer === large.buffer).toBe(bytes === 50_000);
        expect(decoded!.subroute!.buffer === large.buffer).toBe(false);
      }
    }
  });

  it('that is empty is an empty Buffer', () => {
    const frame = bytesOf(messageOf({ flags: Flag.PayloadIsZero }));
    for (const decode of [decodePlainFrame, ...twins.map((twin) => twin.decodeFrame.bind(twin))]) {
      expect(decode(frame, V1_RULES)![0]!.payload).toStrictEqual(Buffer.alloc(0));
    }
  });
});

describe('the writer of messages in WebAssembly and its plain twin', () => {
  const SLAB_BYTES = 4096;
  const near = twins.map((twin) => ({ twin, slab: twin.cutSlabs(SLAB_BYTES, 1)[0]! }));

  /** Both write the head at an odd place, followed by the CRC of it. */
  function compareHeads(message: Message, payloadBytes: number): void {
    const wanted = Buffer.alloc(SLAB_BYTES);
    const headEnd = putHead(message, payloadBytes, wanted, 33);
    wanted.writeUInt32LE(xxh3Low(wanted, 33, headEnd) >>> 0, headEnd);
    for (const { twin, slab } of near) {
      slab.fill(0);
      const address = twin.addressOf(slab);
      expect(twin.putHead(message, message.muxId as number, payloadBytes, address + 33)).toBe(address + headEnd);
      twin.putCrc(address + 33, headEnd - 33);
      expect([twin.name, hexOf(slab.subarray(0, 100))]).toEqual([twin.name, hexOf(wanted.subarray(0, 100))]);
    }
  }

  it('agree on any message', () => {
    fc.assert(
      fc.property(anyMessage.filter(isUsual), fc.integer({ min: 0, max: 0xffff_ffff }), compareHeads),
      { numRuns: volume(300, 5000) },
    );
  });

  it("agree around each border of a number's width", () => {
    const borders = [0x7f, 0xff, 0xffff, 0xffff_ffff].flatMap((last) => [last, last + 1]);
    for (const number of [0, ...borders]) {
      const seq = Math.min(number, 0xffff_ffff);
      for (const muxId of [number, 2 ** 53 - 1 - number]) {
        compareHeads(messageOf({ muxId, seq, deadlineMs: seq, handler: number & 0xff, flags: number & 0xff }), seq);
      }
    }
  });

  it('know which bytes are theirs', () => {
    for (const { twin, slab } of near) {
      expect(twin.addressOf(slab)).toBe(slab.byteOffset);
      expect(twin.addressOf(slab.subarray(7))).toBe(slab.byteOffset + 7);
      expect(twin.addressOf(Buffer.alloc(SLAB_BYTES))).toBe(-1);
      expect(twin.addressOf(slab)).toBe(slab.byteOffset);
    }
  });
});
