// Payloads that a codec writes where the next message will have them (Outbox.encode).
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { json, msgpack, type Codec } from '../../lib/calls/index.js';
import type { MessageSocket } from '../../lib/connection/index.js';
import { slabs } from '../../lib/connection/slab.js';
import { WriteQueue } from '../../lib/connection/write-queue.js';
import type { GridError } from '../../lib/errors/index.js';
import { intoOf } from '../../lib/mux/index.js';
import { silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { Flag, Op, type Message, type Metadata } from '../../lib/wire/index.js';
import { SUBROUTE } from '../wire/build.js';
import { INTERVALS, LIMITS, sleepsOften } from './grid-end.js';
import { message, messagesOf } from './raw-peer.js';

const codec = msgpack();

/** So long that it pays to write it where it will be sent. */
const long = (text: string): string => text.padEnd(1_200, '.');

/** What all slabs that are near are parts of. */
const slabMemory = ((slab) => (slabs.give(slab), slab.bytes.buffer))(slabs.take(1));

/** Keeps a copy of each frame, as a network does, and says when it is written. */
class CopyingSocket implements MessageSocket {
  readonly remoteAddress = undefined;
  readonly frames: Buffer[] = [];
  /** Called with each frame before its write returns. */
  onSend: (() => void) | undefined = undefined;
  private readonly waiting: ((error?: Error) => void)[] = [];

  send(frame: Uint8Array, done: (error?: Error) => void): void {
    this.frames.push(Buffer.from(frame));
    this.waiting.push(done);
    this.onSend?.();
  }

  finish(count = this.waiting.length): void {
    for (const done of this.waiting.splice(0, count)) done();
  }

  close(): void {}
  terminate(): void {}
  listen(): void {}
}

describe('a payload that is encoded where it will be sent', () => {
  let socket: CopyingSocket;
  let queue: WriteQueue;
  let fatal: GridError[];
  let sent: number;
  let freeSlabs: number;

  const open = (limits: Partial<typeof LIMITS> = {}): void => {
    queue = new WriteQueue({
      socket,
      clock: new ManualClock(),
      observer: silentObserver,
      limits: { ...LIMITS, ...limits },
      intervals: INTERVALS,
      calls: () => 0,
      sleptMs: sleepsOften(),
      onFatal: (error) => fatal.push(error),
    });
  };
  const messageWith = (payload: Uint8Array | undefined, more: Partial<Message> = {}): Message =>
    message(Op.MuxServerMsg, { muxId: ++sent, flags: Flag.Crc, payload, ...more });
  /** The values that arrived, in order. */
  const arrived = (): unknown[] =>
    socket.frames.flatMap(messagesOf).map(({ payload }) => payload && codec.decode(payload));
  const send = (value: unknown, more: Partial<Message> = {}): void => {
    queue.send(messageWith(queue.encode(value, codec), more));
  };

  beforeEach(() => {
    socket = new CopyingSocket();
    fatal = [];
    sent = 0;
    freeSlabs = countFree();
    open();
  });
  afterEach(() => {
    queue.flush();
    socket.finish();
    queue.stop();
    socket.finish();
    expect(fatal).toEqual([]);
    // none is lost
    expect(countFree()).toBe(freeSlabs);
  });

  it('is in the memory of the frame, and the same bytes as by encode()', () => {
    send(long('first of the turn'));
    const value = { id: 1, text: long('of the turn') };
    const payload = queue.encode(value, codec);
    const elsewhere = codec.encode(value);
    expect(Buffer.from(payload)).toEqual(Buffer.from(elsewhere));
    queue.send(messageWith(payload));
    // a second one stands behind it in the same memory
    const next = queue.encode(long('next'), codec);
    expect(next.buffer).toBe(payload.buffer);
    expect(next.byteOffset).toBeGreaterThan(payload.byteOffset + payload.length);
    queue.send(messageWith(next));
    queue.flush();
    expect(arrived()).toEqual([long('first of the turn'), value, long('next')]);
  });

  it('is elsewhere while payloads are short: a copy costs less', () => {
    const isDraft = (value: unknown): boolean => queue.encode(value, codec).buffer === slabMemory;
    send('short');
    expect([long('a'), long('b'), 'short', 'short', long('c')].map(isDraft)).toEqual([false, true, true, false, false]);
  });

  it('arrives whatever comes between, before and after, and however long the heads are', () => {
    const bytes = fc.oneof(
      { weight: 4, arbitrary: fc.nat(40) },
      { weight: 2, arbitrary: fc.nat(700) },
      { weight: 6, arbitrary: fc.integer({ min: 1_000, max: 5_000 }) },
      { weight: 1, arbitrary: fc.nat(40_000) },
    );
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constantFrom('drafted', 'plain', 'dropped'),
          bytes,
          muxId: fc.constantFrom(1, 200, 70_000, 2 ** 40, 2n ** 60n),
          seq: fc.constantFrom(0, 1, 130, 70_000),
          subroute: fc.boolean(),
          metadata: fc.constantFrom<Metadata | undefined>(undefined, {}, { trace: 'x'.repeat(100) }),
        }),
      },
      fc.record({ kind: fc.constantFrom('flush', 'urgent', 'twice') }),
      fc.record({ kind: fc.constant('written'), count: fc.nat(4) }),
    );
    const steps = fc.array(step, { maxLength: 60 });
    const property = fc.property(steps, fc.constantFrom(3, 10_000), (sequence, frameMessages) => {
      queue.stop();
      socket = new CopyingSocket();
      open({ frameMessages });
      const expected: string[] = [];
      sequence.forEach((one, index) => {
        if (!('bytes' in one)) {
          if (one.kind === 'flush') queue.flush();
          else if ('count' in one) socket.finish(one.count);
          else if (one.kind === 'urgent') queue.send(message(Op.UnblockClMux, { muxId: 5 }), 0);
          else [queue.encode(long('never sent'), codec), queue.encode(long('nor this'), codec)];
          return;
        }
        const value = Buffer.alloc(one.bytes, index);
        const flags = Flag.Crc | (one.subroute ? Flag.Subroute : 0) | (one.metadata ? Flag.Metadata | Flag.Eof : 0);
        const payload = one.kind === 'plain' ? codec.encode(value) : queue.encode(value, codec);
        if (one.kind === 'dropped') return;
        const { muxId, seq, metadata } = one;
        const subroute = one.subroute ? SUBROUTE : undefined;
        queue.send({ ...messageWith(payload), muxId, seq, flags, metadata, subroute });
        expected.push(shapeOf(value));
      });
      while (queue.queuedMessages > 0) {
        queue.flush();
        socket.finish();
      }
      const values = arrived().filter((value) => value !== undefined);
      expect(values.map((value) => shapeOf(value as Buffer))).toEqual(expected);
    });
    fc.assert(property, { numRuns: 100 });
  });

  it('is not written over by what its own getters send', () => {
    const value = {
      before: long('before'),
      get nested() {
        send(long('sent by a getter'));
        queue.send(messageWith(queue.encode({ toJSON: () => (send(long('by one inside')), long('inner')) }, codec)));
        return long('nested');
      },
      after: long('after'),
    };
    send(value);
    queue.flush();
    const plain = { before: value.before, nested: long('nested'), after: value.after };
    expect(arrived()).toEqual([...['sent by a getter', 'by one inside', 'inner'].map(long), plain]);
  });

  it('is not lost when its own getters end the writes, write all or stop the queue', () => {
    send(long('first'));
    const getters = [
      () => queue.flush(),
      () => (queue.flush(), socket.finish()),
      () => (send(long('inside')), queue.flush(), socket.finish()),
    ];
    for (const during of getters) send({ toJSON: () => (during(), long('whole')) });
    queue.flush();
    expect(arrived()).toEqual(['first', 'whole', 'whole', 'inside', 'whole'].map(long));
    const payload = queue.encode({ toJSON: () => (queue.stop(), socket.finish(), long('said')) }, codec);
    expect(codec.decode(payload)).toBe(long('said'));
    queue.send(messageWith(payload));
    queue.flush();
    expect(arrived()).toHaveLength(5);
    const late = queue.encode(long('after the end'), codec);
    expect(codec.decode(late)).toBe(long('after the end'));
    expect(late.buffer).not.toBe(slabMemory);
    expect(countFree()).toBe(freeSlabs);
  });

  it('is not written over by what a socket that delivers at once leads to', () => {
    queue.stop();
    open({ frameMessages: 2 });
    for (const text of ['a', 'b', 'c']) send(long(text));
    socket.onSend = () => {
      socket.onSend = undefined;
      send(long('by the write'));
    };
    // its frame is full of messages, not of bytes: that is written first
    send(long('d'));
    queue.flush();
    expect(arrived()).toEqual(['a', 'b', 'c', 'by the write', 'd'].map(long));
  });

  it('a value that cannot be encoded costs nobody else anything', () => {
    send(long('before'));
    const broken = {
      text: long('broken'),
      get late(): never {
        throw new Error('no');
      },
    };
    expect(() => queue.encode(broken, codec)).toThrow('no');
    send(long('after'));
    queue.flush();
    expect(arrived()).toEqual(['before', 'after'].map(long));
  });

  it('a codec without an encode() is told so, whatever came before', () => {
    for (const before of ['short', long('long')]) {
      send(before);
      expect(() => queue.encode('x', {} as Codec)).toThrow('codec.encode is not a function');
    }
  });

  it('one that is not sent and then nothing at all leaves no memory taken', () => {
    queue.encode(long('never sent'), codec);
    queue.stop();
    expect(countFree()).toBe(freeSlabs);
  });

  it("who gives a codec another encode() is asked by that, and one of the application's own as it is", () => {
    const own: Codec = { ...json(), encode: (value) => Buffer.from(`<${String(value)}>`) };
    expect(Buffer.from(queue.encode(1, own)).toString()).toBe('<1>');
    const inherited = Object.create(json(), { encode: { value: own.encode } }) as Codec;
    expect(Buffer.from(queue.encode(2, inherited)).toString()).toBe('<2>');
    const { encode } = json();
    const withW = (value: unknown): Uint8Array => Buffer.concat([Buffer.from('W'), encode(value)]);
    const wrapped: Codec = { ...json(), encode: copyingAll(encode, withW) };
    expect(Buffer.from(queue.encode(3, wrapped)).toString()).toBe('W3');
    expect(intoOf(json())).toBeDefined();
    expect([own, inherited, wrapped].map(intoOf)).toEqual([undefined, undefined, undefined]);
  });

  it('holds no memory once its message was written, nor once another was sent in its place', () => {
    send(long('once'));
    socket.finish();
    expect(countFree()).toBe(freeSlabs);
    queue.encode(long('never sent'), codec);
    expect(countFree()).toBe(freeSlabs - 1);
    queue.send(messageWith(undefined));
    queue.flush();
    socket.finish();
    expect(countFree()).toBe(freeSlabs);
    expect(() => queue.encode(Symbol('not sendable'), codec)).toThrow();
    expect(countFree()).toBe(freeSlabs);
  });

  it('is safe from other connections until it is sent, whatever its getters sent before', () => {
    const first = queue;
    const value = { toJSON: () => (send(long('first of the turn')), socket.finish(), long('later')) };
    const payload = first.encode(value, codec);
    open();
    for (let i = 0; i < 30; i++) send(long(`other ${i}`));
    expect(codec.decode(payload)).toBe(long('later'));
    first.send(messageWith(payload));
    first.flush();
    expect(arrived()).toContain(long('later'));
    first.stop();
  });

  it('however much its getters send, that takes one slab more, and frames as ever', () => {
    const numbers = Array.from({ length: 300 }, (_, i) => i);
    const value = { toJSON: () => (numbers.forEach((i) => send(i)), long('done')) };
    const payload = queue.encode(value, codec);
    expect(countFree()).toBe(freeSlabs - 2);
    queue.send(messageWith(payload));
    queue.flush();
    expect(arrived()).toEqual([...numbers, long('done')]);
    expect(socket.frames.length).toBeLessThan(10);
  });
});

/** `replacement` with all properties of a function, as helpers for wrapping make it. */
function copyingAll<F extends (...args: never[]) => unknown>(from: F, replacement: F): F {
  for (const key of Reflect.ownKeys(from)) {
    const property = Object.getOwnPropertyDescriptor(from, key)!;
    if (Object.getOwnPropertyDescriptor(replacement, key)?.configurable !== false) {
      Object.defineProperty(replacement, key, property);
    }
  }
  return replacement;
}

/** Its length and the byte that all of it is. */
function shapeOf(value: Buffer): string {
  const byte = value[0] ?? 0;
  return value.equals(Buffer.alloc(value.length, byte)) ? `${value.length} times ${byte}` : 'damaged';
}

/** How many slabs of the codec's memory nobody uses. */
function countFree(): number {
  const taken = Array.from({ length: 40 }, () => slabs.take(1));
  for (const slab of taken) slabs.give(slab);
  return taken.filter(({ isNear }) => isNear).length;
}
