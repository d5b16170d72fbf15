import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { GridError } from '../../lib/errors/index.js';
import type { FrameSocket } from '../../lib/connection/index.js';
import type { Traffic } from '../../lib/connection/message-socket.js';
import { WriteQueue } from '../../lib/connection/write-queue.js';
import { silentObserver } from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { encodePong, Flag, Op, type Message } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { INTERVALS, LIMITS, sleepsOften } from './grid-end.js';
import { frameOf, message, messagesOf } from './raw-peer.js';

/** Takes frames and lets the test say when they are written. */
class SlowSocket implements FrameSocket {
  readonly remoteAddress = undefined;
  traffic?: () => Traffic;
  oneAtATime = false;
  readonly frames: Uint8Array[] = [];
  private readonly waiting: ((error?: Error) => void)[] = [];

  send(frame: Uint8Array, done: (error?: Error) => void): void {
    this.frames.push(frame);
    this.waiting.push(done);
  }

  /** The oldest `count` writes are done; what they were is copied first, their memory may be used again. */
  finish(count = this.waiting.length, error?: Error): void {
    for (const done of this.waiting.splice(0, count)) done(error);
  }

  close(): void {}
  terminate(): void {}
  listen(): void {}
}

/** Messages of 65,000 bytes that are more than the socket gets at a time. */
const BUSY = 5;

const data = (muxId: number, bytes: number): Message =>
  message(Op.MuxServerMsg, { muxId, seq: muxId, flags: Flag.Crc, payload: Buffer.alloc(bytes, muxId) });

/** The encoded bytes of messages 1 to `count`. */
const bytesOf = (count: number, bytes: number): number =>
  Array.from({ length: count }, (_, index) => frameOf(data(index + 1, bytes)).length).reduce(
    (sum, length) => sum + length,
  );

describe('the write queue', () => {
  let socket: SlowSocket;
  let clock: ManualClock;
  let queue: WriteQueue;
  let fatal: [GridError, number][];
  let calls: number;
  let sleptMs: () => number;

  const open = (limits: Partial<typeof LIMITS> = {}): void => {
    queue = new WriteQueue({
      socket,
      clock,
      observer: silentObserver,
      limits: { ...LIMITS, ...limits },
      intervals: INTERVALS,
      calls: () => calls,
      sleptMs: () => sleptMs(),
      onFatal: (error, code) => fatal.push([error, code]),
    });
  };
  /** Hands the socket as much as it gets at a time: messages 1 to 5, a frame each. */
  const keepBusy = async (): Promise<void> => {
    for (let muxId = 1; muxId <= BUSY; muxId++) queue.send(data(muxId, 65_000));
    await turn();
  };
  /** muxIds in the order of the wire, frame by frame. */
  const sent = (): number[][] => socket.frames.map((frame) => messagesOf(frame).map(({ muxId }) => Number(muxId)));

  beforeEach(() => {
    socket = new SlowSocket();
    clock = new ManualClock();
    fatal = [];
    calls = 0;
    sleptMs = sleepsOften();
    open();
  });
  afterEach(() => {
    queue.stop();
    expect(clock.timers).toBe(0);
  });

  it('writes the first message of a turn at once and bare', () => {
    queue.send(data(1, 100));
    expect(socket.frames.map((frame) => Buffer.from(frame))).toEqual([Buffer.from(frameOf(data(1, 100)))]);
  });

  it('merges the rest of the turn: 16, 32, 64 … messages a frame, the last ones when the turn is over', async () => {
    for (let muxId = 1; muxId <= 54; muxId++) queue.send(data(muxId, 10));
    expect(sent().map((frame) => frame.length)).toEqual([1, 16, 32]);
    await turn();
    expect(sent().map((frame) => frame.length)).toEqual([1, 16, 32, 5]);
    expect(sent().flat()).toEqual(Array.from({ length: 54 }, (_, index) => index + 1));
  });

  /** Sends so many messages in one turn; how many each of its frames held. */
  const turnOf = async (count: number): Promise<number[]> => {
    socket.frames.length = 0;
    for (let muxId = 1; muxId <= count; muxId++) queue.send(data(muxId, 10));
    await turn();
    socket.finish();
    return sent().map((frame) => frame.length);
  };

  it.each([
    { opened: 0, before: 16, frames: [1, 15] },
    { opened: 1, before: 1, frames: [1, 4, 8, 3] },
    { opened: 8, before: 8, frames: [1, 4, 8, 3] },
    { opened: 16, before: 16, frames: [1, 8, 7] },
    { opened: 16, before: 7, frames: [1, 8, 7] },
    { opened: 32, before: 1, frames: [1, 15] },
    { opened: 100_000, before: 1, frames: [1, 15] },
    // it answers more than it asks
    { opened: 3, before: 40, frames: [1, 15] },
  ])('with $opened calls open, after a turn of $before, 16 go as $frames', async ({ opened, before, frames }) => {
    calls = opened;
    await turnOf(before);
    expect(await turnOf(16)).toEqual(frames);
  });

  it('four messages or more leave when the frame was handled that led to them, fewer after the turn', async () => {
    for (let muxId = 1; muxId <= 5; muxId++) queue.send(data(muxId, 10));
    queue.frameHandled();
    expect(sent()).toEqual([[1], [2, 3, 4, 5]]);
    for (let muxId = 6; muxId <= 8; muxId++) queue.send(data(muxId, 10));
    queue.frameHandled();
    expect(sent()).toHaveLength(2);
    await turn();
    expect(sent().slice(2)).toEqual([[6, 7, 8]]);
  });

  describe('behind a busy turn', () => {
    it('all but the first message of a turn travel in one frame, until one is calm again', async () => {
      expect(await turnOf(100)).toEqual([1, 16, 32, 51]);
      expect(await turnOf(40)).toEqual([1, 39]);
      expect(await turnOf(40)).toEqual([1, 16, 23]);
    });

    it('a frame that was handled sends nothing off before its end', async () => {
      await turnOf(100);
      socket.frames.length = 0;
      for (let muxId = 1; muxId <= 10; muxId++) queue.send(data(muxId, 10));
      queue.frameHandled();
      expect(sent()).toEqual([[1]]);
    });

    it('messages that overtake make no turn busy', async () => {
      for (let turns = 0; turns < 5; turns++) await turnOf(40);
      await keepBusy();
      queue.send(message(Op.UnblockSrvMux, { muxId: 1 }), 1);
      await turn();
      socket.finish();
      expect(await turnOf(40)).toEqual([1, 16, 23]);
    });
  });

  describe('while the event loop does not sleep and the peer has enough to do', () => {
    beforeEach(async () => {
      calls = 8;
      await turnOf(1);
      sleptMs = () => 1;
      await turnOf(1);
      socket.frames.length = 0;
    });

    it('a turn travels in one frame when it is over', async () => {
      for (let muxId = 1; muxId <= 40; muxId++) queue.send(data(muxId, 10));
      queue.frameHandled();
      expect(sent()).toEqual([]);
      expect(queue.queuedMessages).toBe(40);
      await turn();
      expect(sent().map((frame) => frame.length)).toEqual([40]);
    });

    it('64 messages do not wait for its end, nor does a full frame', async () => {
      expect(await turnOf(90)).toEqual([64, 26]);
      socket.frames.length = 0;
      for (let muxId = 1; muxId <= 5; muxId++) queue.send(data(muxId, 20_000));
      expect(sent()).toEqual([[1], [2], [3], [4]]);
      await turn();
    });

    it('what waits may be withdrawn, the first message too', async () => {
      const first = queue.send(data(1, 10));
      queue.send(data(2, 10));
      expect(queue.withdraw(first)).toBe(true);
      await turn();
      expect(sent()).toEqual([[2]]);
    });

    it('with fewer calls a turn begins at once', async () => {
      calls = 7;
      expect(await turnOf(16)).toEqual([1, 4, 8, 3]);
    });

    it('behind a turn of more than 16 messages no calls are needed', async () => {
      calls = 0;
      expect(await turnOf(17)).toEqual([1, 4, 8, 4]);
      expect(await turnOf(16)).toEqual([16]);
      expect(await turnOf(16)).toEqual([1, 15]);
    });

    it('behind a busy turn its first message leaves at once and full frames follow', async () => {
      await turnOf(100);
      expect(await turnOf(90)).toEqual([1, 89]);
      expect(await turnOf(90)).toEqual([64, 26]);
    });

    it('a turn that follows a sleep begins at once, the next does not', async () => {
      sleptMs = () => 1.001;
      expect(await turnOf(16)).toEqual([1, 4, 8, 3]);
      expect(await turnOf(16)).toEqual([16]);
    });

    it('behind a turn of a millisecond nobody waits for the end of the next one', async () => {
      queue.send(data(1, 10));
      clock.advance(1);
      await turn();
      socket.finish();
      expect(await turnOf(16)).toEqual([1, 4, 8, 3]);
      // that one was short
      expect(await turnOf(16)).toEqual([16]);
    });

    it('a shorter one, and time between turns, change nothing', async () => {
      queue.send(data(1, 10));
      clock.advance(0.9);
      await turn();
      socket.finish();
      clock.advance(60);
      expect(await turnOf(16)).toEqual([16]);
    });

    it('where the system does not tell whether it slept, turns begin at once', async () => {
      sleptMs = () => 0;
      expect(await turnOf(16)).toEqual([1, 4, 8, 3]);
      expect(await turnOf(16)).toEqual([1, 7, 8]);
    });
  });

  describe('what belongs together', () => {
    it('leaves together, at once if it begins a turn', async () => {
      queue.cork();
      for (let muxId = 1; muxId <= 32; muxId++) queue.send(data(muxId, 10));
      expect(sent()).toEqual([]);
      queue.uncork();
      expect(sent().map((frame) => frame.length)).toEqual([32]);
      await turn();
      expect(sent()).toHaveLength(1);
    });

    it('waits with the rest of a turn that it does not begin, but for a batch', async () => {
      queue.send(data(1, 10));
      for (const count of [15, 2]) {
        queue.cork();
        for (let muxId = 2; muxId <= 1 + count; muxId++) queue.send(data(muxId, 10));
        queue.uncork();
      }
      expect(sent().map((frame) => frame.length)).toEqual([1, 17]);
      queue.cork();
      queue.send(data(19, 10));
      queue.uncork();
      expect(sent()).toHaveLength(2);
      await turn();
      expect(sent().map((frame) => frame.length)).toEqual([1, 17, 1]);
    });

    it('does not hold full frames, and a queue that was stopped meanwhile writes nothing', async () => {
      queue.cork();
      for (let muxId = 1; muxId <= 3; muxId++) queue.send(data(muxId, 20_000));
      expect(sent()).toEqual([[1], [2]]);
      queue.stop();
      queue.uncork();
      await turn();
      expect(sent()).toHaveLength(2);
    });
  });

  it('a single message left at the end of a turn goes bare', async () => {
    queue.send(data(1, 10));
    queue.send(data(2, 10));
    await turn();
    expect(Buffer.from(socket.frames[1]!)).toEqual(Buffer.from(frameOf(data(2, 10))));
  });

  it('each turn begins anew', async () => {
    queue.send(data(1, 10));
    await turn();
    queue.send(data(2, 10));
    expect(sent()).toEqual([[1], [2]]);
  });

  it.each([
    ['at the border of an item header', Array.from({ length: 90 }, (_, index) => 180 + index)],
    ['small and large mixed', [10, 65_000, 10, 65_436, 65_450, 65_500, 65_536, 1, 0, 200_000, 5, 5, 300]],
  ])('what arrives is what was sent: %s', async (_, sizes) => {
    const messages = sizes.map((bytes, index) => data(index + 1, bytes || 1));
    for (const message of messages) queue.send(message);
    const frames: Uint8Array[] = [];
    // the socket takes a part at a time; what was written may be overwritten
    for (await turn(); socket.frames.length > 0; await turn()) {
      frames.push(...socket.frames.splice(0).map((frame) => Buffer.from(frame)));
      socket.finish();
    }
    const arrived = frames.flatMap(messagesOf);
    expect(arrived.length).toBe(messages.length);
    expect(Buffer.concat(arrived.map(frameOf)).equals(Buffer.concat(messages.map(frameOf)))).toBe(true);
    for (const frame of frames) {
      if (messagesOf(frame).length > 1) expect(frame.length).toBeLessThanOrEqual(65_536);
    }
  });

  it('fills frames up to 32 KiB, and does not wait for the end of the turn with a full one', () => {
    for (let muxId = 1; muxId <= 40; muxId++) queue.send(data(muxId, 4_096));
    expect(sent().map((frame) => frame.length)).toEqual([1, 7, 7, 7, 7, 7]);
  });

  describe('while frames wait for the socket', () => {
    const pong = (muxId: number): Message => message(Op.Pong, { muxId, payload: encodePong({ notFound: false }) });
    const credit = (muxId: number): Message => message(Op.UnblockSrvMux, { muxId });

    it('pongs, pings and credits overtake them, in one frame and in their order', async () => {
      await keepBusy();
      for (let muxId = 101; muxId <= 110; muxId++) queue.send(data(muxId, 40_000));
      queue.send(pong(0), 0);
      for (let muxId = 1; muxId <= 20; muxId++) queue.send(credit(muxId), BUSY);
      queue.send(message(Op.Ping, { muxId: 0 }), 0);
      await turn();
      expect(socket.frames.length).toBe(BUSY);
      const arrived = sent().flat();
      while (arrived.length < BUSY + 10 + 22) {
        socket.frames.length = 0;
        socket.finish(1);
        arrived.push(...sent().flat());
      }
      const overtaking = [0, ...Array.from({ length: 20 }, (_, index) => index + 1), 0];
      expect(arrived.slice(BUSY, BUSY + 22)).toEqual(overtaking);
      expect(arrived.slice(BUSY + 22)).toEqual(Array.from({ length: 10 }, (_, index) => 101 + index));
    });

    it('what comes after something that waits keeps its place, and so does what says nothing of it', async () => {
      await keepBusy();
      const position = queue.send(data(101, 10));
      queue.send(message(Op.Ping, { muxId: 101 }), position);
      queue.send(message(Op.DisconnectClientMux, { muxId: 101 }));
      queue.send(message(Op.DisconnectServerMux, { muxId: 101 }));
      queue.send(pong(7), 0);
      socket.finish(1);
      expect(sent().slice(BUSY)).toEqual([[7], [101, 101, 101, 101]]);
    });

    it('a ping of the connection stays behind what the connection said before it', async () => {
      await keepBusy();
      const position = queue.send(message(Op.Disconnect, { muxId: 0, handler: 5 }));
      queue.send(message(Op.Ping, { muxId: 0 }), position);
      socket.finish();
      expect(messagesOf(socket.frames[BUSY]!).map(({ op }) => op)).toEqual([Op.Disconnect, Op.Ping]);
    });

    describe('large answers', () => {
      const SIZE = 40_000;
      const answer = (muxId: number, bytes = SIZE): Message =>
        message(Op.Response, { muxId, flags: Flag.Eof, payload: Buffer.alloc(bytes, muxId) });

      /** The frames that follow, in which order they are handed over. */
      const written = (): number[][] => {
        const frames: number[][] = [];
        for (socket.frames.length = 0; queue.queuedMessages > 0; socket.frames.length = 0) {
          socket.finish(1);
          frames.push(...sent());
        }
        return frames;
      };

      it('let calls and small answers go ahead of them, and keep their order', async () => {
        await keepBusy();
        for (let muxId = 101; muxId <= 104; muxId++) queue.send(answer(muxId));
        queue.send(message(Op.Request, { muxId: 1 }));
        queue.send(answer(2, 100));
        expect(written()).toEqual([[1, 2], [101], [102], [103], [104]]);
        expect([queue.queuedMessages, queue.queuedBytes]).toEqual([0, 0]);
      });

      it('but for as many bytes as the last large frame had: none waits for ever', async () => {
        await keepBusy();
        for (let muxId = 101; muxId <= 103; muxId++) queue.send(answer(muxId));
        for (let muxId = 1; muxId <= 9; muxId++) queue.send(data(muxId, 30_000));
        // the last one handed over had 65,000, those of the answers 40,000
        expect(written().flat()).toEqual([1, 2, 3, 101, 4, 5, 102, 6, 7, 103, 8, 9]);
      });

      it('those of one turn, too: the first has left, the others wait', async () => {
        for (let muxId = 101; muxId <= 104; muxId++) queue.send(answer(muxId, 300_000));
        queue.send(answer(1, 100));
        expect(sent()).toEqual([[101]]);
        expect(written()).toEqual([[1], [102], [103], [104]]);
      });

      it('have no position, and those of the others stay what they are', async () => {
        await keepBusy();
        const first = queue.send(data(1, 10));
        queue.send(answer(101));
        const second = queue.send(data(2, 10));
        expect(second).toBe(first + 1);
        expect(queue.withdraw(second)).toBe(true);
        queue.send(answer(102));
        expect(written()).toEqual([[1], [101], [102]]);
        expect([queue.isHanded(first), queue.isHanded(second)]).toEqual([true, true]);
      });

      it('are dropped with the rest', async () => {
        await keepBusy();
        queue.send(answer(101));
        queue.stop();
        socket.finish();
        expect([socket.frames.length, queue.queuedMessages, queue.queuedBytes]).toEqual([BUSY, 0, 0]);
      });
    });

    it('large requests and items of streams keep their place: calls begin as they were made', async () => {
      await keepBusy();
      const payload = Buffer.alloc(40_000);
      queue.send(message(Op.Request, { muxId: 101, payload }));
      queue.send(message(Op.MuxServerMsg, { muxId: 102, seq: 1, payload }));
      queue.send(message(Op.Request, { muxId: 1 }));
      socket.frames.length = 0;
      socket.finish();
      expect(sent().flat()).toEqual([101, 102, 1]);
    });

    it('what overtakes neither moves the positions of the others nor can be withdrawn', async () => {
      await keepBusy();
      const first = queue.send(data(101, 10));
      const overtaking = queue.send(credit(1), BUSY);
      const second = queue.send(data(102, 10));
      expect(second).toBe(first + 1);
      expect([queue.isHanded(overtaking), queue.withdraw(overtaking)]).toEqual([true, false]);
      expect(queue.withdraw(first)).toBe(true);
      socket.finish(1);
      expect(sent().slice(BUSY)).toEqual([[1], [102]]);
      expect([queue.isHanded(first), queue.isHanded(second)]).toEqual([true, true]);
      socket.finish();
      expect([queue.queuedMessages, queue.queuedBytes]).toEqual([0, 0]);
    });
  });

  it('puts no more than limits.frameMessages into a frame', async () => {
    open({ frameMessages: 3 });
    for (let muxId = 1; muxId <= 9; muxId++) queue.send(data(muxId, 10));
    await turn();
    expect(sent()).toEqual([[1], [2, 3, 4], [5, 6, 7], [8, 9]]);
  });

  it('copies a payload before send returns', async () => {
    const payload = Buffer.from('before');
    queue.send(data(1, 1));
    queue.send(message(Op.Response, { muxId: 2, flags: Flag.Crc, payload }));
    payload.write('after!');
    await turn();
    expect(String(Buffer.from(messagesOf(socket.frames[1]!)[0]!.payload!))).toBe('before');
  });

  it('never writes into memory that the socket still has', async () => {
    const kept: Buffer[] = [];
    for (let round = 0; round < 60; round++) {
      for (let muxId = 1; muxId <= 20; muxId++) queue.send(data(round * 20 + muxId, 1_000));
      await turn();
      while (kept.length < socket.frames.length) kept.push(Buffer.from(socket.frames[kept.length]!));
      // those that are not finished must keep their bytes while slabs come and go
      if (round % 3 === 0) {
        for (const [index, frame] of kept.entries()) expect(frame.equals(socket.frames[index]!)).toBe(true);
        socket.finish();
        kept.length = 0;
        socket.frames.length = 0;
      }
    }
  });

  it('lets the socket write to a frame and to the room in front of it, and nothing else of it is there', async () => {
    const taken: Buffer[] = [];
    socket.send = (frame, done, room = 0) => {
      taken.push(Buffer.from(frame));
      expect(room).toBeGreaterThanOrEqual(14);
      Buffer.from(frame.buffer, frame.byteOffset - room, room + frame.length).fill(0xff);
      queueMicrotask(done);
    };
    const lengths = [0, 1, 100, 5_000, 40_000, 300_000, 2_000_000];
    for (let muxId = 1; muxId <= 200; muxId++) {
      queue.send(data(muxId, lengths[muxId % lengths.length]!));
      if (muxId % 9 === 0) await turn();
    }
    while (queue.queuedMessages > 0) await turn();
    const messages = taken.flatMap((frame) => messagesOf(frame));
    expect(messages.map(({ muxId }) => muxId)).toEqual(messages.map((_, i) => i + 1));
    expect(messages).toHaveLength(200);
    for (const { muxId, payload } of messages) {
      const whole = Buffer.alloc(lengths[Number(muxId) % lengths.length]!, Number(muxId));
      expect(whole.equals(payload ?? Buffer.alloc(0))).toBe(true);
    }
  });

  it('hands no more than about 256 KiB to the socket and goes on when it is written', async () => {
    for (let muxId = 1; muxId <= 100; muxId++) queue.send(data(muxId, 65_000));
    await turn();
    expect(socket.frames.length).toBe(BUSY);
    expect([queue.isHanded(BUSY), queue.isHanded(BUSY + 1)]).toEqual([true, false]);
    expect([queue.queuedMessages, queue.queuedBytes]).toEqual([100, bytesOf(100, 65_000)]);
    socket.finish(1);
    expect(socket.frames.length).toBe(BUSY + 1);
    while (queue.queuedMessages > 0) socket.finish();
    expect(sent().flat()).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(queue.queuedBytes).toBe(0);
  });

  it('merges what comes while the socket is busy, over many turns', async () => {
    await keepBusy();
    for (let muxId = 101; muxId <= 132; muxId++) {
      queue.send(data(muxId, 10));
      await turn();
    }
    expect(socket.frames.length).toBe(BUSY);
    socket.finish(1);
    expect(sent()[BUSY]).toEqual(Array.from({ length: 32 }, (_, index) => index + 101));
  });

  it('hands one frame at a time to a socket that asks for it, and fills the next one meanwhile', async () => {
    socket.oneAtATime = true;
    open();
    for (let muxId = 1; muxId <= 54; muxId++) queue.send(data(muxId, 10));
    await turn();
    for (let muxId = 55; muxId <= 70; muxId++) queue.send(data(muxId, 10));
    await turn();
    expect(sent()).toEqual([[1]]);
    expect([queue.isHanded(1), queue.isHanded(2)]).toEqual([true, false]);
    socket.finish(1);
    expect(sent().map((frame) => frame.length)).toEqual([1, 69]);
    socket.finish();
    expect(sent().flat()).toEqual(Array.from({ length: 70 }, (_, index) => index + 1));
    expect(queue.queuedBytes).toBe(0);
  });

  it('hands it all of a turn when it is flushed, for a goodbye may follow', () => {
    socket.oneAtATime = true;
    open();
    for (let muxId = 1; muxId <= 3; muxId++) queue.send(data(muxId, 20_000));
    expect(sent()).toEqual([[1]]);
    queue.flush();
    expect(sent()).toEqual([[1], [2], [3]]);
  });

  it('withdraws what was not handed over, anywhere in a frame', async () => {
    const positions = Array.from({ length: 20 }, (_, index) => queue.send(data(index + 1, 50 + index * 40)));
    expect(queue.withdraw(positions[0]!)).toBe(false);
    expect(queue.withdraw(positions[16]!)).toBe(false);
    // 18, 19 and 20 wait for the end of the turn
    const before = queue.queuedBytes;
    expect(queue.withdraw(positions[18]!)).toBe(true);
    expect(queue.withdraw(positions[18]!)).toBe(true);
    expect(queue.queuedBytes).toBe(before - frameOf(data(19, 770)).length);
    expect(queue.queuedMessages).toBe(19);
    await turn();
    expect(sent()).toEqual([[1], Array.from({ length: 16 }, (_, index) => index + 2), [18, 20]]);
    socket.finish();
    expect([queue.queuedMessages, queue.queuedBytes]).toEqual([0, 0]);
  });

  it('withdraws first, last, all but one, and all of a frame', async () => {
    queue.send(data(1, 1));
    const [two, , four, five] = [2, 3, 4, 5].map((muxId) => queue.send(data(muxId, 20)));
    queue.withdraw(two!);
    queue.withdraw(five!);
    queue.withdraw(four!);
    await turn();
    expect(sent()).toEqual([[1], [3]]);
    queue.send(data(6, 300));
    const rest = [7, 8].map((muxId) => queue.send(data(muxId, 300)));
    for (const position of rest) queue.withdraw(position);
    await turn();
    expect(sent()).toEqual([[1], [3], [6]]);
    socket.finish();
    expect([queue.queuedMessages, queue.queuedBytes]).toEqual([0, 0]);
  });

  it('withdraws 20,000 of 40,000 in no time, the others arrive in order', async () => {
    await keepBusy();
    const positions = Array.from({ length: 40_000 }, (_, index) => queue.send(data(100 + index, 20)));
    const start = performance.now();
    expect(positions.filter((_, index) => index % 2 === 0).every((position) => queue.withdraw(position))).toBe(true);
    expect(performance.now() - start).toBeLessThan(2_000);
    while (queue.queuedMessages > 0) socket.finish();
    expect(sent().flat().slice(BUSY)).toEqual(Array.from({ length: 20_000 }, (_, index) => 101 + 2 * index));
  });

  it('is congested above limits.queuedBytes, then resumes its waiters, oldest first, while it is not', async () => {
    const each = frameOf(data(1, 100)).length;
    open({ queuedBytes: 10 * each });
    for (let muxId = 1; muxId <= 10; muxId++) queue.send(data(muxId, 100));
    expect(queue.congested).toBe(false);
    queue.send(data(11, 100));
    expect(queue.congested).toBe(true);
    const resumed: string[] = [];
    queue.onDrain(() => {
      resumed.push('first');
      queue.send(data(12, 100));
      queue.send(data(13, 100));
    });
    queue.onDrain(() => resumed.push('second'));
    const forget = queue.onDrain(() => resumed.push('forgotten'));
    forget();
    socket.finish(1);
    expect(resumed).toEqual([]);
    await turn();
    expect(resumed).toEqual(['first']);
    socket.finish();
    await turn();
    expect(resumed).toEqual(['first', 'second']);
    expect(fatal).toEqual([]);
  });

  it('is crowded for streams at 1 MiB, long before calls are refused; then resumes them', async () => {
    open({ queuedBytes: 8 * 1024 * 1024 });
    for (let muxId = 1; muxId <= 16; muxId++) queue.send(data(muxId, 65_000));
    expect(queue.crowded).toBe(false);
    queue.send(data(17, 65_000));
    expect([queue.crowded, queue.congested]).toEqual([true, false]);
    let resumed = 0;
    queue.onDrain(() => resumed++);
    socket.finish(1);
    await turn();
    expect([queue.crowded, resumed]).toEqual([false, 1]);
  });

  it('what calls have waiting holds no stream up: as long as those go on it would wait for ever', async () => {
    open({ queuedBytes: 8 * 1024 * 1024 });
    const request = { op: Op.Request, flags: Flag.Crc | Flag.Eof } as const;
    for (let muxId = 1; muxId <= 40; muxId++) queue.send({ ...data(muxId, 65_000), ...request });
    expect(queue.crowded).toBe(false);
    for (let muxId = 41; muxId <= 57; muxId++) queue.send(data(muxId, 65_000));
    expect([queue.crowded, queue.congested]).toEqual([true, false]);
    let resumed = 0;
    queue.onDrain(() => resumed++);
    while (sent().flat().length < 44) socket.finish(1);
    await turn();
    expect([queue.crowded, resumed]).toEqual([true, 0]);
    while (queue.crowded) socket.finish(1);
    await turn();
    expect(resumed).toBe(1);
    while (queue.queuedMessages > 0) socket.finish();
    expect(queue.crowded).toBe(false);
  });

  it('a withdrawal ends congestion too, and calls nobody back before it returned', async () => {
    const each = frameOf(data(1, 100)).length;
    open({ queuedBytes: 2 * each });
    queue.send(data(1, 100));
    queue.send(data(2, 100));
    const position = queue.send(data(3, 100));
    let resumed = 0;
    queue.onDrain(() => resumed++);
    expect(queue.withdraw(position)).toBe(true);
    expect([queue.congested, resumed]).toEqual([false, 0]);
    await turn();
    expect(resumed).toBe(1);
  });

  it('H17 at twice limits.queuedBytes the connection ends with 1013, not from inside send', async () => {
    const each = frameOf(data(1, 100)).length;
    open({ queuedBytes: 10 * each });
    for (let muxId = 1; muxId <= 100; muxId++) queue.send(data(muxId, 100));
    expect(fatal).toEqual([]);
    await turn();
    expect(fatal).toEqual([
      [
        expect.objectContaining({
          code: 'RESOURCE_EXHAUSTED',
          reason: 'limit',
          message: expect.stringContaining('limits.queuedBytes'),
        }),
        1013,
      ],
    ]);
    expect(queue.queuedBytes).toBe(0);
  });

  it('has room for answers until they and what waits are a quarter short of that', () => {
    const each = frameOf(data(1, 100)).length;
    open({ queuedBytes: 8 * each });
    expect([queue.hasRoom(14 * each), queue.hasRoom(14 * each + 1)]).toEqual([true, false]);
    for (let muxId = 1; muxId <= 10; muxId++) queue.send(data(muxId, 100));
    expect([queue.hasRoom(4 * each), queue.hasRoom(4 * each + 1)]).toEqual([true, false]);
    socket.finish();
  });

  it('hands over any number of frames to a socket that is done with each at once, and counts each', async () => {
    open({ frameMessages: 1, queuedBytes: 2 ** 30 });
    await keepBusy();
    for (let muxId = BUSY + 1; muxId <= 5_000; muxId++) queue.send(data(muxId, 10));
    expect(queue.queuedMessages).toBe(5_000);
    const order: number[] = [];
    socket.send = (frame, done) => {
      order.push(Number(messagesOf(frame)[0]!.muxId));
      done();
    };
    socket.finish();
    expect(order).toEqual(Array.from({ length: 5_000 - BUSY }, (_, index) => BUSY + 1 + index));
    expect([queue.queuedMessages, queue.queuedBytes, queue.isHanded(5_000)]).toEqual([0, 0, true]);
    queue.send(data(5_001, 10));
    await turn();
    expect(order.at(-1)).toBe(5_001);
    expect(fatal).toEqual([]);
  });

  it('B04 ends when no write finished for writeTimeoutMs', async () => {
    queue.send(data(1, 100));
    clock.advance(3_999);
    await turn();
    expect(fatal).toEqual([]);
    clock.advance(1);
    await turn();
    expect(fatal).toEqual([[expect.objectContaining({ code: 'UNAVAILABLE', reason: 'disconnected' }), 1006]]);
  });

  it('B04 slow progress is progress', async () => {
    for (let muxId = 1; muxId <= 20; muxId++) queue.send(data(muxId, 60_000));
    for (let second = 0; second < 18; second++) {
      clock.advance(3_000);
      socket.finish(1);
    }
    await turn();
    expect(fatal).toEqual([]);
    expect(sent().flat().length).toBe(20);
    clock.advance(6_000);
    await turn();
    expect(fatal.length).toBe(1);
  });

  it('B04 it is progress that the system takes a part of a frame', async () => {
    let taken = 0;
    socket.traffic = () => ({ read: 0, taken, waiting: 1 });
    queue.send(data(1, 1_000_000));
    for (let second = 0; second < 30; second++) {
      taken += 100;
      clock.advance(1_000);
      await turn();
    }
    expect(fatal).toEqual([]);
    clock.advance(5_000);
    await turn();
    expect(fatal.length).toBe(1);
  });

  it('B04 a large message has the more time: 4 s for each MiB in flight', async () => {
    queue.send(data(1, 3 * 1024 * 1024));
    clock.advance(12_000);
    await turn();
    expect(fatal).toEqual([]);
    clock.advance(1_000);
    await turn();
    expect(fatal.length).toBe(1);
  });

  it('an idle connection has no timer, whatever it wrote before', () => {
    queue.send(data(1, 100));
    socket.finish();
    clock.advance(1_000);
    expect(clock.timers).toBe(0);
    clock.advance(10_000);
    expect(fatal).toEqual([]);
  });

  it('a write that fails ends the connection once', async () => {
    for (let muxId = 1; muxId <= 30; muxId++) queue.send(data(muxId, 100));
    socket.finish(3, new Error('EPIPE'));
    await turn();
    expect(fatal).toEqual([[expect.objectContaining({ code: 'UNAVAILABLE', message: 'writing failed: EPIPE' }), 1006]]);
  });

  it('hands nothing to a socket whose other end has said goodbye: it was certainly not sent', async () => {
    const first = queue.send(data(1, 10));
    Object.assign(socket, { closing: true });
    const second = queue.send(data(2, 10));
    await turn();
    queue.flush();
    expect(sent()).toEqual([[1]]);
    expect([queue.isHanded(first), queue.isHanded(second)]).toEqual([true, false]);
    queue.stop();
    expect(fatal).toEqual([]);
  });

  it('a socket that throws or answers at once does no harm', async () => {
    socket.send = () => {
      throw new Error('no socket');
    };
    queue.send(data(1, 100));
    expect(fatal).toEqual([]);
    await turn();
    expect(fatal.length).toBe(1);
    open();
    fatal = [];
    socket.send = (_, done) => done();
    for (let muxId = 1; muxId <= 30; muxId++) queue.send(data(muxId, 100));
    await turn();
    expect([queue.queuedMessages, fatal.length]).toEqual([0, 0]);
  });

  it('what is sent from inside a write, by a socket that delivers at once, belongs to its turn', async () => {
    const { send } = socket;
    socket.send = (frame, done) => {
      send.call(socket, frame, done);
      if (socket.frames.length === 1) for (const muxId of [2, 3]) queue.send(data(muxId, 100));
    };
    queue.send(data(1, 100));
    expect(sent()).toEqual([[1], [2, 3]]);
    queue.send(data(4, 100));
    expect(sent()).toEqual([[1], [2, 3]]);
    await turn();
    expect(sent()).toEqual([[1], [2, 3], [4]]);
  });

  it('after stop nothing is written, what was not handed over can be told', async () => {
    const positions = [1, 2].map((muxId) => queue.send(data(muxId, 100)));
    queue.stop();
    const late = queue.send(data(3, 100));
    await turn();
    socket.finish();
    expect(sent()).toEqual([[1]]);
    expect([...positions, late].map((position) => queue.isHanded(position))).toEqual([true, false, false]);
    expect(queue.withdraw(late)).toBe(true);
    expect([queue.queuedMessages, queue.queuedBytes]).toEqual([0, 0]);
  });
});
