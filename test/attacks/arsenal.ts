// What a connected peer may try, one by one. Each attack leaves the victim without calls of its own.
import { expect } from '@jest/globals';
import { until } from '../conformance/hang-budget.js';
import { encode, EOF, merged, op, type MessageParts } from '../conformance/raw-codec.js';
import { volume } from '../scale.js';
import { frame, frameHead } from './raw-websocket.js';
import { closeOf, type Attacker, type Siege } from './siege.js';

export interface Attack {
  name: string;
  /** The victim's memory may grow by so many MB meanwhile. */
  most: number;
  /** The same through Nest, where that costs more; default `most`. */
  mostOfNode?: number;
  /** `name`: under which the attacker is let in, its own in this siege. */
  run(siege: Siege, name: string): Promise<void>;
}

/** An attack of full scale takes its time. */
const PATIENCE_MS = volume(30_000, 300_000);

const answered = (attacker: Attacker): number =>
  attacker.count(op.AckMux) + attacker.count(op.MuxConnectError) + attacker.count(op.Response);

/** All that was sent before is dealt with, and the connection lives. */
async function settled(siege: Siege, attacker: Attacker, muxId: bigint = 1n << 50n): Promise<void> {
  const before = attacker.count(op.Response);
  await attacker.send({ ...siege.calls.echo, muxId, payload: 'x' });
  await until(async () => attacker.count(op.Response) > before, 'no echo', PATIENCE_MS);
}

async function leave(siege: Siege, attacker: Attacker, name: string): Promise<void> {
  attacker.ws.destroy();
  await siege.quiet(name);
}

/** Sends bytes that end the connection. */
function cut(code: number, bytes: Buffer): Attack['run'] {
  return async (siege, name) => {
    const attacker = await siege.attacker(name);
    await attacker.ws.write(bytes);
    expect((await closeOf(attacker.ws))[0]).toBe(code);
  };
}

/** Floods until the victim has had enough. */
function flooded(code: number, reason: string, count: number, perFrame: number, what: Flood): Attack['run'] {
  return async (siege, name) => {
    const attacker = await siege.attacker(name);
    expect(await attacker.flood(count, (i) => what(i, siege), perFrame)).toBe(false);
    expect(await closeOf(attacker.ws)).toEqual([code, expect.stringContaining(reason)]);
    await siege.quiet(name);
  };
}

type Flood = (index: number, siege: Siege) => MessageParts | MessageParts[];

/** Messages for calls that are not there: dropped and counted, some answered. */
function ignored(count: number, what: (index: number) => MessageParts): Attack['run'] {
  return async (siege, name) => {
    const attacker = await siege.attacker(name);
    expect(await attacker.flood(count, what, 1_000)).toBe(true);
    await settled(siege, attacker);
    await leave(siege, attacker, name);
  };
}

const claims: [string, number, Buffer][] = [
  ['a frame that claims 2^32 bytes', 1009, frameHead(2n ** 32n)],
  ['a frame that claims 2^40 bytes', 1009, frameHead(2n ** 40n)],
  ['a frame that claims 2^63 - 1 bytes', 1009, frameHead(2n ** 63n - 1n)],
  ['a Merged that claims 4 billion items', 1002, frame(encode({ op: op.Merged, seq: 4_294_967_295, flags: 0 }))],
  ['a payload that claims 4 GiB', 1002, frame(Buffer.from('97010000003c0e02c6ffffffff', 'hex'))],
  ['a text that claims 4 GiB', 1002, frame(Buffer.from('97dbffffffff', 'hex'))],
  ['a map that claims 4 billion pairs', 1002, frame(Buffer.from('dfffffffff', 'hex'))],
  ['an array that claims 4 billion values', 1002, frame(Buffer.from('ddffffffff', 'hex'))],
  ['arrays in arrays, 100,000 deep', 1002, frame(Buffer.alloc(100_000, 0x91))],
  ['a compressed frame (RSV1), which nobody agreed on', 1002, Buffer.from([0xc2, 0x84, 0, 0, 0, 0, 1, 2, 3, 4])],
];

export const ARSENAL: Attack[] = [
  {
    name: 'streams opened and never read, past openStreams',
    most: 150,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const streams = volume(12_000, 50_000);
      // each eighth fills its credits
      const kind = (i: number): MessageParts => (i % 8 === 0 ? siege.calls.endless : siege.calls.mute);
      await attacker.flood(10_000, (i) => ({ ...kind(i), muxId: i + 1 }));
      await until(async () => attacker.count(op.AckMux) === 10_000, 'not all accepted', PATIENCE_MS);
      const atTheCap = siege.rss();
      await attacker.flood(streams - 10_000, (i) => ({ ...kind(i), muxId: 10_001 + i }));
      await until(async () => answered(attacker) === streams, 'no answers', PATIENCE_MS);
      expect(attacker.count(op.MuxConnectError)).toBe(streams - 10_000);
      expect(siege.rss() - atTheCap).toBeLessThan(20 * 1_024 * 1_024);
      await leave(siege, attacker, name);
    },
  },
  {
    name: 'requests to slow handlers',
    most: 140,
    // 20,000 running requests take 4.5 KB each in the manager, 8.5 KB in the node: its handler has a timer and a signal
    mostOfNode: 220,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const requests = volume(21_000, 100_000);
      await attacker.flood(requests, (i) => ({ ...siege.calls.slow, muxId: i + 1 }));
      await until(async () => attacker.count(op.MuxConnectError) === requests - 20_000, 'not refused', PATIENCE_MS);
      expect((await siege.peer(name)).handlers).toBe(20_000);
      await leave(siege, attacker, name);
    },
  },
  {
    name: 'asking for large answers and not reading',
    most: 250,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      attacker.ws.socket.pause();
      await attacker.flood(volume(300, 3_000), (i) => ({ ...siege.calls.large, muxId: i + 1 }));
      // the write timeout, or the queue at twice its cap
      await until(async () => (await siege.peer(name)).state !== 'connected', 'it is not cut', 20_000);
      await siege.quiet(name);
    },
  },
  {
    name: 'opening and cancelling (rapid reset)',
    most: 100,
    // 10,000 a second are let through: at a turn of the second 20,000 run, as above
    mostOfNode: 200,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const calls = volume(30_000, 200_000);
      const started = performance.now();
      const pair = (i: number): MessageParts[] => [
        { ...siege.calls.slow, muxId: i + 1 },
        { op: op.DisconnectServerMux, muxId: i + 1 },
      ];
      await attacker.flood(calls, pair, 500);
      const before = attacker.count(op.Response);
      await attacker.send({ ...siege.calls.echo, muxId: 1n << 50n, payload: 'x' });
      const over = async (): Promise<boolean> => attacker.ws.ended || attacker.count(op.Response) > before;
      await until(over, 'neither cut nor served', PATIENCE_MS);
      if (!attacker.ws.ended) {
        // a machine so slow that they were no more than a second's 10,000 at a time
        expect(calls / ((performance.now() - started) / 1_000)).toBeLessThan(2 * 10_000);
        await leave(siege, attacker, name);
        return;
      }
      expect(await closeOf(attacker.ws)).toEqual([1008, expect.stringContaining('cancelsPerSecond')]);
      await siege.quiet(name);
    },
  },
  {
    name: 'streams whose reset is provoked (made you reset)',
    most: 150,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const streams = volume(3_000, 10_000);
      await attacker.flood(streams, (i) => [
        { ...siege.calls.mute, flags: 0, muxId: i + 1 },
        // out of sequence: the victim ends the stream
        { op: op.MuxClientMsg, muxId: i + 1, seq: 7, payload: 'x' },
      ]);
      await until(async () => answered(attacker) === streams, 'no answers', PATIENCE_MS);
      await siege.quiet(name);
      await leave(siege, attacker, name);
    },
  },
  {
    name: 'requests, each followed by frames that fit none (made you reset)',
    most: 150,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const requests = volume(4_000, 100_000);
      await attacker.flood(requests, (i) => [
        { ...siege.calls.slow, muxId: i + 1 },
        { op: op.MuxClientMsg, muxId: i + 1, seq: 9, payload: 'x' },
        { op: op.UnblockSrvMux, muxId: i + 1, seq: 9 },
      ]);
      const most = Math.min(requests, 20_000);
      await until(async () => attacker.count(op.MuxConnectError) === requests - most, 'not refused', PATIENCE_MS);
      await until(async () => (await siege.peer(name)).handlers === most, 'not all run');
      await leave(siege, attacker, name);
    },
  },
  {
    name: 'a million pings',
    most: 60,
    run: flooded(1008, 'pingsPerSecond', 1_000_000, 1, () => ({ op: op.Ping })),
  },
  {
    name: 'a million pings in merged frames',
    most: 60,
    run: flooded(1008, 'pingsPerSecond', 1_000_000, 5_000, () => ({ op: op.Ping })),
  },
  {
    name: 'credits with numbers out of order: 0, 2^31, 2^32 - 1',
    most: 60,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const numbers = [0, 2 ** 31, 2 ** 32 - 1];
      for (const [index, seq] of numbers.entries()) {
        await attacker.send({ ...siege.calls.mute, muxId: index + 1 });
        await attacker.send({ op: op.UnblockSrvMux, muxId: index + 1, seq });
      }
      await until(async () => attacker.count(op.DisconnectClientMux) === numbers.length, 'they are not ended');
      await settled(siege, attacker);
      await siege.quiet(name);
    },
  },
  {
    name: 'credits in excess of the capacity',
    most: 60,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      await attacker.send({ ...siege.calls.mute, muxId: 1 });
      const credits = volume(50_000, 1_000_000);
      await attacker.flood(credits, (i) => ({ op: op.UnblockSrvMux, muxId: 1, seq: i + 1 }), 1_000);
      await settled(siege, attacker);
      expect((await siege.peer(name)).handlers).toBe(1);
      await leave(siege, attacker, name);
    },
  },
  {
    name: 'data on new streams above their capacity',
    most: 100,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const { deaf, deafCapacity } = siege.calls;
      const payload = Buffer.alloc(16 * 1_024);
      const streams = volume(300, 5_000);
      await attacker.flood(streams, (i) => [
        { ...deaf, muxId: i + 1 },
        ...Array.from({ length: deafCapacity + 1 }, (_, n) => {
          return { op: op.MuxClientMsg, muxId: i + 1, seq: n + 1, payload };
        }),
      ]);
      await until(async () => attacker.count(op.DisconnectClientMux) === streams, 'they are not ended', PATIENCE_MS);
      await siege.quiet(name);
      await leave(siege, attacker, name);
    },
  },
  {
    name: 'unknown muxIds: 0, 2^53 + 1, 2^64 - 1, answers to calls never made',
    most: 60,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const toCaller = [op.Response, op.AckMux, op.MuxServerMsg, op.UnblockClMux, op.DisconnectClientMux, op.Pong];
      const toHandler = [op.MuxClientMsg, op.UnblockSrvMux, op.DisconnectServerMux];
      for (const muxId of [1n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
        for (const each of [...toCaller, ...toHandler, op.Response, op.MuxConnectError]) {
          const payload = each === op.MuxConnectError ? Buffer.from('81a54572726f72a178', 'hex') : undefined;
          await attacker.send({ op: each, muxId, seq: 1, flags: each === op.Response ? EOF : 0, payload });
        }
        // the id may still be used, and the answer carries it
        const before = attacker.count(op.Response);
        await attacker.send({ ...siege.calls.echo, muxId, payload: 'x' });
        await until(async () => attacker.count(op.Response) > before, 'no echo');
        expect(attacker.lastOf(op.Response)!.muxId).toBe(muxId);
      }
      await attacker.send({ ...siege.calls.echo, muxId: 0 });
      expect((await closeOf(attacker.ws))[0]).toBe(1002);
    },
  },
  {
    name: 'a muxId in use taken again',
    most: 60,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      for (let n = 0; n < 2; n++) await attacker.send({ ...siege.calls.slow, muxId: 9 });
      expect(await closeOf(attacker.ws)).toEqual([1002, expect.stringContaining('muxId 9 is in use')]);
      await siege.quiet(name);
    },
  },
  {
    name: 'input for calls that are not there',
    most: 100,
    run: ignored(volume(50_000, 1_000_000), (i) => ({ op: op.MuxClientMsg, muxId: (1n << 40n) + BigInt(i) })),
  },
  {
    name: 'answers to calls never made',
    most: 60,
    run: ignored(volume(50_000, 1_000_000), (i) => ({ op: op.Response, muxId: i + 1, flags: EOF })),
  },
  {
    name: 'frames full of the smallest messages',
    most: 60,
    run: async (siege, name) => {
      const attacker = await siege.attacker(name);
      const unblock = encode({ op: op.UnblockSrvMux, muxId: 9, flags: 0 });
      const full = frame(merged(Array<Buffer>(10_000).fill(unblock)));
      for (let n = 0; n < volume(5, 100); n++) await attacker.ws.write(full);
      await settled(siege, attacker);
      await attacker.ws.write(frame(merged(Array<Buffer>(10_001).fill(unblock))));
      expect((await closeOf(attacker.ws))[0]).toBe(1002);
    },
  },
  {
    name: 'a message in fragments of one byte',
    most: 60,
    run: async (siege, name) => {
      const piece = Buffer.concat([frameHead(1, { opcode: 0, fin: false }), Buffer.alloc(1)]);
      const first = [frameHead(1, { fin: false }), Buffer.alloc(1)];
      const pieces = Buffer.concat([...first, ...Array<Buffer>(16_384).fill(piece)]);
      for (let n = 0; n < volume(10, 500); n++) {
        const attacker = await siege.attacker(name);
        await attacker.ws.write(pieces);
        expect((await closeOf(attacker.ws))[0]).toBe(1008);
      }
    },
  },
  ...claims.map(([name, code, bytes]): Attack => ({ name, most: 40, run: cut(code, bytes) })),
  {
    name: '200 reconnects in a row, each with a call',
    most: 100,
    run: async (siege, name) => {
      let attacker: Attacker | undefined;
      for (let n = 0; n < 200; n++) {
        attacker = await siege.attacker(name);
        await attacker.send({ ...siege.calls.slow, muxId: 1 });
        if (n % 2 === 0) attacker.ws.destroy();
      }
      await until(async () => (await siege.peer(name)).handlers <= 1, 'handlers of old connections are left', 20_000);
      await leave(siege, attacker!, name);
    },
  },
];
