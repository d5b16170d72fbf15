// Wire spec §6: the node is the handler side of streams.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from './hang-budget.js';
import { CRC, encode, EOF, ERR, op, SUBROUTE, subrouteId, ZERO, type MessageParts } from './raw-codec.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { running, runs, Stage } from './stage.js';

let stage: Stage;
let peer: RawPeer;

beforeAll(async () => {
  stage = await Stage.set();
}, 70_000);
beforeEach(async () => {
  peer = await stage.peer();
});
afterEach(() => stage.clear());
afterAll(() => stage.strike());

/** Messages of a call that are there now, after a round trip. */
async function arrived({ muxId }: RawStream): Promise<number[]> {
  await peer.settle();
  return peer.inbox.filter((message) => message.muxId === muxId).map((message) => message.op);
}

/** The error end that the protocol makes, and the goodbye. */
async function expectEnd(stream: RawStream, text: string): Promise<void> {
  const end = await stream.next({ op: op.MuxServerMsg, flags: CRC | EOF | ERR });
  expect(end.payload.toString()).toBe(text);
  expect((await stream.next({ op: op.DisconnectClientMux })).flags).toBe(CRC);
}

describe('handlers', () => {
  test('63 emits COUNT messages of SIZE bytes, exactly so', async () => {
    const stream = RawStream.open(peer, 63, '2,3');
    const { muxId } = stream;
    await stream.next({ op: op.AckMux });
    await stream.item();
    await stream.item();
    await stream.next({ op: op.MuxServerMsg, flags: CRC | EOF });
    await stream.next({ op: op.DisconnectClientMux });
    const frames = peer.frames.filter((frame) => frame[5] !== 17).slice(1); // merged ones are judged as they arrive
    const expected = [
      encode({ op: op.AckMux, muxId }),
      encode({ op: op.MuxServerMsg, muxId, seq: 1, payload: Buffer.from([0, 0, 0]) }),
      encode({ op: op.MuxServerMsg, muxId, seq: 2, payload: Buffer.from([1, 1, 1]) }),
      encode({ op: op.MuxServerMsg, muxId, seq: 3, flags: CRC | EOF }),
      encode({ op: op.DisconnectClientMux, muxId }),
    ].map((frame) => frame.toString('hex'));
    for (const frame of frames) expect(expected).toContain(frame.toString('hex'));
  });

  test('63 counts bytes modulo 256, and emits empty messages as such', async () => {
    const long = await RawStream.opened(peer, 63, '258,1');
    for (let i = 0; i < 258; i++) expect((await long.item()).payload).toEqual(Buffer.from([i % 256]));
    expect((await long.item()).flags).toBe(CRC | EOF);
    const empty = await RawStream.opened(peer, 63, '2,0');
    expect(await empty.item()).toMatchObject({ flags: CRC | ZERO, payload: Buffer.alloc(0) });
    expect(await empty.item()).toMatchObject({ flags: CRC | ZERO });
  });

  test('63 with nothing to emit ends at once', async () => {
    expect(await (await RawStream.opened(peer, 63, '0,1')).drain()).toEqual({ items: [], error: undefined });
  });

  test.each([
    [63, 'many,1', 'many'],
    [63, '1,-2', '-2'],
    [71, 'many', 'many'],
  ])('%i fails with what is no number: %s', async (handler, payload, named) => {
    const { items, error } = await (await RawStream.opened(peer, handler, payload)).drain();
    expect({ items, error }).toEqual({ items: [], error: `'${named}' is not a whole number from 0 to 2147483647` });
  });

  test('64 counts its input; each message gives its credit back', async () => {
    const stream = await RawStream.opened(peer, 64, '', { input: true });
    for (let sent = 0, credits = 4; sent < 50; sent++, credits--) {
      if (credits === 0) {
        await stream.next({ op: op.UnblockClMux });
        credits++;
      }
      stream.write(`message ${sent}`);
    }
    stream.end();
    expect(await stream.drain()).toEqual({ items: ['50'], error: undefined });
  });

  test.each([
    ['65', undefined],
    ['65 at its subroute', subrouteId(65, 'sub/route')],
  ])('%s emits each input message back', async (_, subroute) => {
    const stream = await RawStream.opened(peer, 65, '', { input: true, flags: subroute ? SUBROUTE : 0, subroute });
    for (const text of ['a', 'b', 'x'.repeat(70_000), 'c']) {
      stream.write(text);
      expect((await stream.item()).payload.toString()).toBe(text);
      await stream.next({ op: op.UnblockClMux });
    }
    stream.write('');
    stream.end();
    expect(await stream.drain()).toEqual({ items: [''], error: undefined });
  });

  test('66 emits a, b, then fails with the text', async () => {
    const stream = await RawStream.opened(peer, 66, 'no more');
    expect((await stream.next({ op: op.MuxServerMsg })).payload.toString()).toBe('a');
    expect((await stream.next({ op: op.MuxServerMsg })).payload.toString()).toBe('b');
    await expectEnd(stream, 'no more');
  });

  test('67 and 69 run until they are cancelled, and say nothing', async () => {
    const streams = [await RawStream.opened(peer, 67), await RawStream.opened(peer, 69, '', { input: true })];
    await runs(peer, 2);
    for (const stream of streams) stream.cancel();
    await until(async () => (await running(peer)) === 0, 'handlers still run');
    for (const stream of streams) expect(await arrived(stream)).not.toContain(op.MuxServerMsg);
  });

  test('71 emits COUNT messages as text', async () => {
    const { items, error } = await (await RawStream.opened(peer, 71, '500')).drain();
    expect(error).toBeUndefined();
    expect(items).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
  });
});

describe('credits of the output', () => {
  test('never more than outCapacity without one, and one message per credit', async () => {
    const stream = await RawStream.opened(peer, 71, '100');
    await until(async () => (await arrived(stream)).length >= 16, 'fewer than 16 messages');
    expect(await arrived(stream)).toHaveLength(16);
    for (let i = 17; i <= 20; i++) {
      stream.credit();
      await until(async () => (await arrived(stream)).length >= i, `fewer than ${i} messages`);
      expect(await arrived(stream)).toHaveLength(i);
    }
    stream.cancel();
  });

  test('H5: the end that the handler makes waits for one', async () => {
    const stream = await RawStream.opened(peer, 63, '1,1');
    await stream.next({ op: op.MuxServerMsg });
    expect(await arrived(stream)).toEqual([]);
    stream.credit();
    await stream.next({ op: op.MuxServerMsg, flags: CRC | EOF });
    await stream.next({ op: op.DisconnectClientMux });
  });

  test('a cancel is not kept waiting by an end that waits', async () => {
    const stream = await RawStream.opened(peer, 63, '1,1');
    await stream.next({ op: op.MuxServerMsg });
    stream.cancel();
    expect(await arrived(stream)).not.toContain(op.MuxServerMsg);
    const again = await RawStream.opened(peer, 63, '1,1', { muxId: stream.muxId });
    await again.next({ op: op.MuxServerMsg });
  });

  test('credits above the capacity are dropped', async () => {
    const stream = await RawStream.opened(peer, 63, '100,1');
    await stream.next({ op: op.MuxServerMsg });
    for (let i = 0; i < 10; i++) stream.credit();
    // ten credits came together; how many were above the capacity depends on the handler, that it holds does not
    await peer.settle();
    const sofar = (await arrived(stream)).length;
    expect(sofar).toBeLessThanOrEqual(10);
    expect(await arrived(stream)).toHaveLength(sofar);
    stream.cancel();
  });
});

describe('input', () => {
  test('B07 more than the credits allow ends with "handler blocked", which waits for no credit', async () => {
    const stream = await RawStream.opened(peer, 65, '', { input: true });
    stream.write('a');
    await stream.next({ op: op.MuxServerMsg });
    await stream.next({ op: op.UnblockClMux });
    stream.write('b'); // waits: the handler is not asked for more than the output's credits allow
    expect(await arrived(stream)).toEqual([]);
    stream.write('c');
    await expectEnd(stream, 'handler blocked');
    await peer.settle();
  });

  test('a message that nobody reads gives no credit back', async () => {
    const stream = await RawStream.opened(peer, 69, '', { input: true });
    stream.write('a');
    expect(await arrived(stream)).toEqual([]);
    stream.write('b');
    await expectEnd(stream, 'handler blocked');
    await runs(peer, 0);
  });

  test('B07 to a handler that takes none ends with "did not expect inbound message"', async () => {
    const stream = await RawStream.opened(peer, 67, '', { input: true });
    stream.write('a');
    await expectEnd(stream, 'did not expect inbound message');
    await runs(peer, 0);
  });

  test('the end of input is welcome at a handler that takes none', async () => {
    const stream = await RawStream.opened(peer, 63, '2,1', { input: true });
    stream.end();
    expect((await stream.drain()).items).toHaveLength(2);
  });

  test('the end of input needs no credit', async () => {
    const stream = await RawStream.opened(peer, 64, '', { input: true });
    for (let i = 0; i < 4; i++) stream.write('x');
    stream.end();
    expect((await stream.drain()).items).toEqual(['4']);
  });

  test('a payload in the message that ends it is its last item', async () => {
    const stream = await RawStream.opened(peer, 65, '', { input: true });
    stream.post({ op: op.MuxClientMsg, flags: CRC | EOF, payload: 'last' });
    expect((await stream.drain()).items).toEqual(['last']);
  });

  test('of a stream that was opened with EOF is over at once', async () => {
    const stream = await RawStream.opened(peer, 64, '');
    expect((await stream.drain()).items).toEqual(['0']);
  });
});

describe('sequence numbers', () => {
  test.each<[string, MessageParts]>([
    ['an input message', { op: op.MuxClientMsg, payload: 'x' }],
    ['a credit', { op: op.UnblockSrvMux }],
    ['a ping', { op: op.Ping }],
  ])('B07 a gap before %s ends the stream and nothing else', async (_, parts) => {
    const other = await RawStream.opened(peer, 65, '', { input: true });
    const stream = await RawStream.opened(peer, 64, '', { input: true });
    peer.send({ ...parts, muxId: stream.muxId, seq: 3 });
    await expectEnd(stream, 'receive sequence number mismatch. want 1, got 3');
    other.write('alive');
    expect((await other.item()).payload.toString()).toBe('alive');
  });

  test('an opening message that is not number 0 opens nothing', async () => {
    const muxId = peer.newMux();
    peer.send({ op: op.ConnectMux, muxId, seq: 5, handler: 67, flags: CRC | EOF });
    await peer.next({ op: op.AckMux, muxId });
    const { payload } = await peer.next({ op: op.MuxServerMsg, muxId, flags: CRC | EOF | ERR });
    expect(payload.toString()).toBe('receive sequence number mismatch. want 0, got 5');
    await peer.next({ op: op.DisconnectClientMux, muxId });
    await runs(peer, 0);
  });

  test('input, credits and pings count together', async () => {
    const stream = await RawStream.opened(peer, 65, '', { input: true });
    stream.write('a');
    stream.post({ op: op.Ping });
    stream.post({ op: op.Ping });
    expect((await stream.item()).payload.toString()).toBe('a');
    stream.write('b');
    expect((await stream.item()).payload.toString()).toBe('b');
    stream.end();
    expect((await stream.drain()).error).toBeUndefined();
  });

  test('a cancel is not counted', async () => {
    const stream = await RawStream.opened(peer, 67);
    peer.send({ op: op.DisconnectServerMux, muxId: stream.muxId, seq: 77 });
    await runs(peer, 0);
  });
});

describe('deadlines', () => {
  test('abort the handler and end the stream with "context deadline exceeded"', async () => {
    const started = Date.now();
    const stream = await RawStream.opened(peer, 67, '', { deadlineMs: 120 });
    await expectEnd(stream, 'context deadline exceeded');
    expect(Date.now() - started).toBeGreaterThanOrEqual(115);
    await runs(peer, 0);
  });

  test('need no credit for that', async () => {
    const stream = await RawStream.opened(peer, 71, '100', { deadlineMs: 150 });
    const end = await stream.next({ op: op.MuxServerMsg, flags: CRC | EOF | ERR });
    expect(end.payload.toString()).toBe('context deadline exceeded');
    expect(end.seq).toBe(17);
  });

  test('that are far away change nothing', async () => {
    expect((await (await RawStream.opened(peer, 71, '20', { deadlineMs: 4_294_967_295 })).drain()).items).toHaveLength(
      20,
    );
  });
});

test('a muxId is free again after the end', async () => {
  const first = await RawStream.opened(peer, 63, '1,1');
  await first.drain();
  const second = await RawStream.opened(peer, 63, '2,1', { muxId: first.muxId });
  expect((await second.drain()).items).toHaveLength(2);
});

test('100 streams at once are served, each its own', async () => {
  const streams = Array.from({ length: 100 }, (_, i) => RawStream.open(peer, 71, String(i)));
  await Promise.all(
    streams.map(async (stream, i) => {
      await stream.next({ op: op.AckMux });
      expect((await stream.drain()).items).toHaveLength(i);
    }),
  );
});

test('P15 a stream that nobody reads holds up nothing else', async () => {
  const stuck = await RawStream.opened(peer, 71, '1000000');
  for (let i = 0; i < 100; i++) expect((await peer.call(60, String(i))).payload.toString()).toBe(String(i));
  stuck.cancel();
});
