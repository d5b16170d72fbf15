import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { GridError } from '../../lib/errors/index.js';
import {
  decodeCapacity,
  decodeConnectRequest,
  decodeConnectResponse,
  decodeFrame,
  decodeMuxConnectError,
  decodePing,
  decodePong,
  Flag,
  Op,
  type DecodeRules,
  type Message,
} from '../../lib/wire/index.js';
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
  V1_RULES,
  vectorsOf,
} from './build.js';

/** A message as it was built: without what decoding tells beside it. */
function built({ metadataBytes: _, ...message }: Message): Message {
  return message;
}

/** The messages, or undefined where a GridError refuses the bytes. Any other exception fails the test. */
function decodeOrRefuse(frame: Uint8Array, rules: DecodeRules = FULL_RULES): Message[] | undefined {
  try {
    return decodeFrame(frame, rules);
  } catch (error) {
    if (GridError.is(error)) return undefined;
    throw error;
  }
}

/** Without `expect`, which would take most of the time of a loop over cuts and bits. */
function expectRefused(frame: Uint8Array, rules?: DecodeRules): void {
  if (decodeOrRefuse(frame, rules)) throw new Error(`not refused: ${hexOf(frame)}`);
}

/** What came out of bytes that were accepted must be messages that encode, and mean the same again. */
function expectLegal(messages: readonly Message[]): void {
  for (const message of messages) {
    expect(decodeFrame(bytesOf(message), FULL_RULES).map(built)).toEqual([built(message)]);
  }
}

const vectors = vectorsOf<{ messages: { name: string; frame?: string }[]; merged: { frame: string }[] }>('wire-v1');
const recorded = [...vectors.messages, ...vectors.merged].flatMap(({ frame }) => (frame ? [hexBytes(frame)] : []));

describe('any message', () => {
  it('round-trips', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeFrame(bytesOf(message), FULL_RULES).map(built)).toEqual([message]);
      }),
      { numRuns: volume(500, 10_000) },
    );
  });

  it('round-trips inside Merged, in order', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 20 }), (messages) => {
        expect(decodeFrame(mergedOf(messages.map(bytesOf)), FULL_RULES).map(built)).toEqual(messages);
      }),
      { numRuns: volume(150, 2000) },
    );
  });

  it('is refused when it is cut anywhere, or when anything follows', () => {
    fc.assert(
      fc.property(anyMessage, fc.uint8Array({ minLength: 1, maxLength: 50 }), (message, more) => {
        const frame = bytesOf(message);
        for (let length = 0; length < frame.length; length++) {
          expectRefused(frame.subarray(0, length));
        }
        expectRefused(Buffer.concat([frame, more]));
      }),
      { numRuns: volume(80, 1000) },
    );
  });

  it('is read from its own bytes only: what lies around the frame does not matter', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(255), (message, around) => {
        const frame = bytesOf(message);
        const larger = new Uint8Array(frame.length + 100).fill(around);
        larger.set(frame, 50);
        expect(decodeFrame(larger.subarray(50, 50 + frame.length), FULL_RULES).map(built)).toEqual([message]);
        expectRefused(larger.subarray(50, 50 + frame.length - 1));
      }),
      { numRuns: volume(150, 2000) },
    );
  });
});

describe('recorded frames', () => {
  it('are refused when cut anywhere', () => {
    for (const frame of recorded) {
      for (let length = 0; length < Math.min(frame.length, 2000); length++) {
        expectRefused(frame.subarray(0, length), V1_RULES);
      }
    }
  });

  it('are refused in two parts, wherever they are split', () => {
    for (const frame of recorded.filter(({ length }) => length < 300)) {
      for (let at = 1; at < frame.length; at++) {
        expectRefused(frame.subarray(at), V1_RULES);
      }
    }
  });

  it('H16 with a CRC are refused after any single-bit flip', () => {
    const withCrc = recorded.filter((frame) => {
      const [first] = decodeFrame(frame, V1_RULES);
      return frame.length < 1100 && first!.flags & Flag.Crc && frame[5] !== Op.Merged;
    });
    expect(withCrc.length).toBeGreaterThan(50);
    for (const frame of withCrc) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const damaged = frame.slice();
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        expectRefused(damaged);
      }
    }
  });

  it('H16 merged, with a CRC in each item, never yield an altered message', () => {
    const items = [patternBytes(5), patternBytes(300), undefined].map((payload, i) =>
      messageOf({ muxId: i + 1, payload, flags: Flag.Crc }),
    );
    const frame = mergedOf(items.map(bytesOf));
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const damaged = frame.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      // the head itself has no CRC; what it protects is the number of items, and that must agree
      expectRefused(damaged);
    }
  });

  it('without a CRC yield a GridError or another legal message: nothing can tell them apart', () => {
    let altered = 0;
    const ping = messageOf({ muxId: 0, op: Op.Ping, deadlineMs: 10_000 });
    for (const message of [messageOf({ payload: patternBytes(20) }), ping]) {
      const frame = bytesOf(message);
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const damaged = frame.slice();
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        const messages = decodeOrRefuse(damaged);
        if (!messages) continue;
        altered++;
        expectLegal(messages);
      }
    }
    expect(altered).toBeGreaterThan(0);
  });
});

describe('random bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 400 });

  it('are refused by a GridError or are messages', () => {
    fc.assert(
      fc.property(bytes, (frame) => {
        expectLegal(decodeOrRefuse(frame) ?? []);
      }),
      { numRuns: volume(1500, 20_000) },
    );
  });

  it('behind a plausible head are refused by a GridError or are messages', () => {
    const head = fc.record({ op: fc.nat(20), flags: fc.nat(255), muxId: fc.nat(1), tail: bytes });
    let accepted = 0;
    fc.assert(
      fc.property(head, ({ op, flags, muxId, tail }) => {
        const bare = flags & ~Flag.Crc;
        const encodedFlags = bare < 0x80 ? [bare] : [0xcc, bare];
        const messages = decodeOrRefuse(Uint8Array.of(0x97, muxId, 0, 0, 0, op, ...encodedFlags, 0xc4, 0, ...tail));
        if (messages) accepted++;
        expectLegal(messages ?? []);
      }),
      { numRuns: volume(1500, 20_000) },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it('put into a frame at random places are refused by a GridError or are messages', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }), (message, at, patch) => {
        const frame = bytesOf({ ...message, flags: message.flags & ~Flag.Crc });
        const start = at % frame.length;
        frame.set(patch.subarray(0, frame.length - start), start);
        expectLegal(decodeOrRefuse(frame) ?? []);
      }),
      { numRuns: volume(1500, 20_000) },
    );
  });

  it('never make a body throw anything but a GridError', () => {
    const decoders = [decodeConnectRequest, decodeConnectResponse, decodeCapacity, decodeMuxConnectError, decodePong];
    const keys = ['ID', 'Host', 'Time', 'Token', 'Accepted', 'Ext', 'Max', 'Error', 'nf', 'e', 't', 'in', 'out', '?'];
    const pair = fc.tuple(fc.constantFrom(...keys), fc.uint8Array({ maxLength: 20 }));
    const body = fc.array(pair, { maxLength: 6 }).map((pairs) => {
      const parts = pairs.map(([key, value]) => [Uint8Array.of(0xa0 | key.length), Buffer.from(key), value]);
      return new Uint8Array(Buffer.concat([Uint8Array.of(0x80 | pairs.length), ...parts.flat()]));
    });
    fc.assert(
      fc.property(fc.oneof(bytes, body), (payload) => {
        decodePing(payload);
        for (const decode of decoders) {
          try {
            decode(payload);
          } catch (error) {
            if (!GridError.is(error)) throw error;
          }
        }
      }),
      { numRuns: volume(1500, 20_000) },
    );
  });
});
