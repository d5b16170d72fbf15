// What a peer's payload is made into counts for the peer as long as the handler may keep it.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { bytes, json, msgpack, type Codec } from '../../lib/calls/index.js';
import { collect, failure, gridLine, signalled, type GridLine } from './grid-line.js';

/** 1 KB of MessagePack, 72 KB in memory. */
const MAPS = Array.from({ length: 1_000 }, () => ({}));
const LIMITS = { heldBytes: 100_000 };

let line: GridLine;
let release: () => void;
let seen: unknown[];
let held: Promise<void>;
beforeEach(() => {
  line = gridLine({ limits: LIMITS });
  seen = [];
  const { promise, resolve } = signalled();
  [held, release] = [promise, resolve];
});

const keep = async (payload: unknown): Promise<number> => {
  seen.push(payload);
  await held;
  return 1;
};
const codec = msgpack();
const refused = { code: 'RESOURCE_EXHAUSTED', message: 'more than heldBytes (100000) wait for handlers' };

describe('a second value that takes too much beside the first is refused, and taken when that is gone', () => {
  it('of requests', async () => {
    line.handle(60, keep, { codec });
    const first = line.caller.request(60, MAPS, { codec });
    expect(await failure(line.caller.request(60, MAPS, { codec }))).toMatchObject(refused);
    release();
    expect(await first).toBe(1);
    expect(await line.caller.request(60, MAPS, { codec })).toBe(1);
    expect(seen).toEqual([MAPS, MAPS]);
  });

  it('of streams', async () => {
    line.handle(60, keep, { codec, kind: 'stream' });
    const first = collect(line.caller.stream(60, MAPS, { codec }));
    await line.pair.settle();
    expect(await failure(collect(line.caller.stream(60, MAPS, { codec })))).toMatchObject(refused);
    release();
    expect(await first).toEqual([1]);
    expect(await collect(line.caller.stream(60, MAPS, { codec }))).toEqual([1]);
  });

  it('of events', async () => {
    line.handle(60, keep, { codec, kind: 'event' });
    await line.caller.emit(60, MAPS, { codec });
    expect(await failure(line.caller.emit(60, MAPS, { codec }))).toMatchObject(refused);
    release();
    await line.pair.settle();
    await line.caller.emit(60, MAPS, { codec });
    expect(seen).toEqual([MAPS, MAPS]);
  });

  it('of a call that ends as a stream in place of a request', async () => {
    line.handle(60, keep, { codec });
    const first = collect(line.caller.stream(60, MAPS, { codec }));
    await line.pair.settle();
    expect(await failure(line.caller.request(60, MAPS, { codec }))).toMatchObject(refused);
    release();
    await first;
    expect(await line.caller.request(60, MAPS, { codec })).toBe(1);
  });
});

it.each<[string, unknown]>([
  ['arrays of one', Array.from({ length: 400 }, () => [1])],
  ['short texts', Array.from({ length: 3_000 }, () => 'ab')],
  ['maps of one', Array.from({ length: 1_000 }, () => ({ a: 1 }))],
])('%s count for what they take, too', async (_, payload) => {
  line.handle(60, keep, { codec });
  const first = line.caller.request(60, payload, { codec });
  expect(await failure(line.caller.request(60, payload, { codec }))).toMatchObject(refused);
  release();
  expect(await first).toBe(1);
});

describe('what may not be held is not made first', () => {
  const nonsense = Buffer.from('c1', 'hex');
  it.each<[string, string, Buffer]>([
    ['forty thousand maps', 'dd00009c41', Buffer.alloc(40_000, 0x80)],
    ['a list of seventy thousand', 'dd00011170', Buffer.alloc(70_000, 0xc1)],
  ])('%s', async (_, header, items) => {
    line.handle(60, keep, { codec });
    const payload = Buffer.concat([Buffer.from(header, 'hex'), items, nonsense]);
    expect(await failure(line.caller.request(60, payload, { codec: bytes() }))).toMatchObject(refused);
  });

  it('nor does it count, once it is refused', async () => {
    line = gridLine({ limits: { heldBytes: 1_500_000 } });
    line.handle(60, keep, { codec });
    const empty = (count: number): unknown[] => Array.from({ length: count }, () => ({}));
    const error = await failure(line.caller.request(60, empty(40_000), { codec }));
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    release();
    expect(await line.caller.request(60, empty(20_000), { codec })).toBe(1);
  });
});

it.each<[string, Codec]>([
  ['has another decode', { ...msgpack(), decode: (bytes) => msgpack().decode(bytes) }],
  ['is json(), which cannot tell', json()],
])('a codec that %s is asked for its value alone', async (_, other) => {
  line.handle(60, keep, { codec: other });
  const calls = [MAPS, MAPS].map((payload) => line.caller.request(60, payload, { codec: other }));
  await line.pair.settle();
  release();
  expect(await Promise.all(calls)).toEqual([1, 1]);
});

it('values of a few kilobytes are not counted at all', async () => {
  line = gridLine({ limits: { heldBytes: 1_000 } });
  line.handle(60, keep, { codec });
  const calls = Array.from({ length: 20 }, () => line.caller.request(60, MAPS.slice(0, 40), { codec }));
  await line.pair.settle();
  release();
  expect(await Promise.all(calls)).toEqual(Array(20).fill(1));
});
