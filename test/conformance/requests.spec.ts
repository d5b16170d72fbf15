// Wire spec §5, §7 and the single handlers of the node.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CRC, encode, EOF, ERR, op, STATELESS, SUBROUTE, subrouteId, ZERO } from './raw-codec.js';
import { body } from './raw-msgpack.js';
import type { RawPeer } from './raw-peer.js';
import { RawStream } from './raw-stream.js';
import { runs, Stage } from './stage.js';

let stage: Stage;
let peer: RawPeer;

beforeAll(async () => {
  stage = await Stage.set();
}, 70_000);
afterEach(() => stage.clear());
afterAll(() => stage.strike());

describe.each([
  ['v1', undefined],
  ['with all extensions', ['meta', 'error', 'cancel', 'capacity', 'upgrade', 'drain']],
])('%s', (_, ext) => {
  async function connect(): Promise<void> {
    peer = await stage.peer({ ext });
  }

  test.each([1, 255, 256, 65_535, 65_536, 1_048_576])('60 answers %i bytes with the same bytes', async (size) => {
    await connect();
    const payload = Buffer.alloc(size, 'x');
    const answer = await peer.call(60, payload);
    expect([answer.op, answer.seq, answer.deadlineMs, answer.handler, answer.flags]).toEqual([
      op.Response,
      0,
      0,
      0,
      CRC | EOF,
    ]);
    expect(answer.payload.equals(payload)).toBe(true);
  });

  test('60 answers nothing with nothing', async () => {
    await connect();
    const muxId = peer.ask(60);
    await peer.next({ op: op.Response, muxId });
    expect(peer.frames.at(-1)).toEqual(encode({ op: op.Response, muxId, flags: CRC | EOF }));
  });

  test('60 at its subroute is another handler', async () => {
    await connect();
    const answer = await peer.call(60, 'x', { flags: CRC | EOF | SUBROUTE, subroute: subrouteId(60, 'sub/route') });
    expect([answer.op, answer.payload.toString()]).toEqual([op.Response, 'sub/route:x']);
  });

  test.each([59, 61, 255])('a subroute id of handler 60 finds nothing under the ID %i', async (handler) => {
    await connect();
    const subroute = subrouteId(60, 'sub/route');
    const answer = await peer.call(handler, 'x', { flags: CRC | EOF | SUBROUTE, subroute });
    expect(answer.op).toBe(op.MuxConnectError);
    expect(body(answer.payload)).toEqual({ Error: `Invalid Handler for type: ${subroute.toString('hex')}` });
  });

  test.each(['it broke: ü', 'e'.repeat(1_024), 'ä'.repeat(10_000)])('61 fails with the text', async (text) => {
    await connect();
    const answer = await peer.call(61, text);
    expect([answer.op, answer.seq, answer.handler, answer.deadlineMs]).toEqual([op.Response, 0, 0, 0]);
    expect(answer.flags & ~0x40).toBe(CRC | EOF | ERR);
    expect(answer.payload.toString()).toBe(text);
  });

  test('62 answers after the given time', async () => {
    await connect();
    const started = Date.now();
    expect((await peer.call(62, '120')).payload.toString()).toBe('done');
    expect(Date.now() - started).toBeGreaterThanOrEqual(115);
  });

  test.each(['soon', '-5', '1.5', '99999999999'])('62 fails with what is no time: %s', async (text) => {
    await connect();
    const answer = await peer.call(62, text);
    expect(answer.flags & ERR).toBe(ERR);
    expect(answer.payload.toString()).toBe(`'${text}' is not a whole number from 0 to 2147483647`);
  });

  test('68 counts the handlers 67 and 69 that run', async () => {
    await connect();
    await runs(peer, 0);
    const quiet = await RawStream.opened(peer, 67);
    await RawStream.opened(peer, 69, '', { input: true });
    await runs(peer, 2);
    quiet.cancel();
    await runs(peer, 1);
  });

  test('70 answers zero bytes, which is not nothing', async () => {
    await connect();
    const muxId = peer.ask(70);
    await peer.next({ op: op.Response, muxId });
    expect(peer.frames.at(-1)).toEqual(encode({ op: op.Response, muxId, flags: CRC | EOF | ZERO }));
  });

  test('72 answers no metadata with {}', async () => {
    await connect();
    expect((await peer.call(72)).payload.toString()).toBe('{}');
  });

  test('an unknown handler is refused with what was asked for', async () => {
    await connect();
    const answer = await peer.call(59, 'x', { seq: 3, deadlineMs: 1_234 });
    expect([answer.op, answer.seq, answer.deadlineMs, answer.handler]).toEqual([op.MuxConnectError, 3, 1_234, 59]);
    expect(answer.flags & ~0x40).toBe(CRC | EOF);
    expect(body(answer.payload)).toEqual({ Error: 'Invalid Handler for type: 59' });
  });
});

test('a response has the seq of its request', async () => {
  peer = await stage.peer();
  expect(await peer.call(60, 'x', { seq: 4_294_967_295 })).toMatchObject({ op: op.Response, seq: 4_294_967_295 });
});

test('a request without a deadline is served', async () => {
  peer = await stage.peer();
  expect(await peer.call(60, 'x', { deadlineMs: 0 })).toMatchObject({ op: op.Response });
});

test('the largest deadline is one', async () => {
  peer = await stage.peer();
  expect(await peer.call(62, '20', { deadlineMs: 4_294_967_295 })).toMatchObject({ op: op.Response });
});

test('a result that is later than the deadline is dropped', async () => {
  peer = await stage.peer();
  const late = peer.ask(62, '150', { deadlineMs: 50 });
  expect((await peer.call(62, '300')).payload.toString()).toBe('done');
  expect(peer.inbox.filter(({ muxId }) => muxId === late)).toEqual([]);
});

test('handler 0 is no handler', async () => {
  peer = await stage.peer();
  const answer = await peer.call(0);
  expect(answer.op).toBe(op.MuxConnectError);
  expect(body(answer.payload)).toEqual({ Error: 'Invalid Handler' });
});

test('a stream to an unknown handler is refused, its EOF flag echoed', async () => {
  peer = await stage.peer();
  for (const input of [true, false]) {
    const answer = await RawStream.open(peer, 58, 'x', { input, deadlineMs: 99 }).next();
    expect(answer).toMatchObject({
      op: op.MuxConnectError,
      seq: 0,
      deadlineMs: 99,
      handler: 58,
      flags: input ? CRC : CRC | EOF,
    });
    expect(body(answer.payload)).toEqual({ Error: 'Invalid Handler for type: 58' });
  }
});

test.each([
  ['request', op.Request],
  ['stream', op.ConnectMux],
])('an unknown subroute refuses a %s with the hex digits of its id', async (_, opening) => {
  peer = await stage.peer();
  for (const [handler, subroute] of [
    [60, 'no/such'],
    [65, 'no/such'],
    [59, 'sub/route'],
    [68, 'sub/route'],
  ] as const) {
    const id = subrouteId(handler, subroute);
    const muxId = peer.newMux();
    peer.send({ op: opening, muxId, handler, flags: CRC | EOF | SUBROUTE, subroute: id, payload: 'x' });
    const answer = await peer.next({ muxId });
    expect([answer.op, answer.handler]).toEqual([op.MuxConnectError, handler]);
    expect(body(answer.payload)).toEqual({ Error: `Invalid Handler for type: ${id.toString('hex')}` });
  }
});

test('a plain request for a handler that streams is refused', async () => {
  peer = await stage.peer();
  for (const handler of [63, 64, 65, 66, 67, 69, 71]) {
    const answer = await peer.call(handler, '1,1');
    expect(answer.op).toBe(op.MuxConnectError);
    expect(body(answer.payload)).toEqual({ Error: 'streams: call stream()' });
  }
});

test('a stream to a handler that answers once is refused', async () => {
  peer = await stage.peer();
  expect((await RawStream.open(peer, 60, 'x').next()).op).toBe(op.MuxConnectError);
});

test('a stateless stream is refused', async () => {
  peer = await stage.peer();
  const answer = await RawStream.open(peer, 63, '1,1', { flags: STATELESS }).next();
  expect(answer.op).toBe(op.MuxConnectError);
  expect(body(answer.payload)).toEqual({ Error: 'Stateless streams not supported' });
});

test('2,000 requests at once are all answered, each with its own', async () => {
  peer = await stage.peer();
  const asked = new Map<bigint, string>();
  for (let i = 0; i < 1_000; i++) {
    asked.set(peer.ask(60, `echo ${i}`), `echo ${i}`);
    asked.set(peer.ask(62, String(i % 50)), 'done');
  }
  for (const [muxId, expected] of asked) {
    const answer = await peer.next({ muxId });
    expect([answer.op, answer.payload.toString()]).toEqual([op.Response, expected]);
  }
  expect(peer.inbox).toEqual([]);
});

test('B29 muxIds around 2^53 and 2^64 are exact: each answer and each item has that of its call', async () => {
  peer = await stage.peer();
  const bounds = [2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 2n];
  const ids = bounds.flatMap((bound) => [bound - 1n, bound, bound + 1n]);
  for (const muxId of ids) peer.ask(60, `request ${muxId}`, { muxId });
  for (const muxId of ids) {
    expect((await peer.next({ op: op.Response, muxId })).payload.toString()).toBe(`request ${muxId}`);
  }
  const streams = ids.map((muxId) => RawStream.open(peer, 65, '', { muxId, input: true }));
  for (const stream of streams) await stream.next({ op: op.AckMux, seq: 0 });
  for (const stream of streams) stream.write(`item ${stream.muxId}`);
  for (const stream of streams) expect((await stream.item()).payload.toString()).toBe(`item ${stream.muxId}`);
  for (const stream of streams) stream.cancel();
  await peer.settle();
});
