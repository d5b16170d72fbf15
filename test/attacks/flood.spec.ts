import { afterEach, expect, it } from '@jest/globals';
import { EOF, op } from '../conformance/raw-codec.js';
import { until } from '../conformance/hang-budget.js';
import { MB, volume } from '../scale.js';
import { closeOf, Siege } from './siege.js';

let siege: Siege;
afterEach(() => siege.end());

it('streams that are opened and never read stop at openStreams, and end with their connection', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  const streams = volume(12_000, 50_000);
  await attacker.flood(streams, (i) => ({ op: op.ConnectMux, muxId: i + 1, handler: 63, flags: EOF }));
  await until(
    async () => attacker.count(op.AckMux) + attacker.count(op.MuxConnectError) === streams,
    'no answers',
    30_000,
  );
  expect([attacker.count(op.AckMux), attacker.count(op.MuxConnectError)]).toEqual([10_000, streams - 10_000]);
  expect(attacker.count(op.MuxServerMsg)).toBeLessThanOrEqual(16 * 10_000);
  const { mostRunning } = await siege.facts();
  expect(mostRunning).toBe(10_000);
  attacker.ws.destroy();
  await siege.until(({ running }) => running === 0, 'handlers are left');
  await siege.lift(`${streams} streams never read`, 150 * MB);
}, 60_000);

it('streams whose end never gets its credit count as open, though their handlers have ended', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  const streams = volume(12_000, 50_000);
  await attacker.flood(streams, (i) => ({ op: op.ConnectMux, muxId: i + 1, handler: 66, flags: EOF }));
  await until(
    async () => attacker.count(op.AckMux) + attacker.count(op.MuxConnectError) === streams,
    'no answers',
    30_000,
  );
  expect([attacker.count(op.AckMux), attacker.count(op.MuxConnectError)]).toEqual([10_000, streams - 10_000]);
  await siege.lift(`${streams} streams without the last credit`, 150 * MB);
}, 60_000);

it('requests to slow handlers stop at runningRequests, and end with their connection', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  const requests = volume(25_000, 100_000);
  const slow = { op: op.Request, handler: 61, deadlineMs: 60_000, flags: EOF };
  await attacker.flood(requests, (i) => ({ ...slow, muxId: i + 1 }));
  await until(async () => attacker.count(op.MuxConnectError) === requests - 20_000, 'not refused', 30_000);
  expect((await siege.facts()).mostRunning).toBe(20_000);
  attacker.ws.destroy();
  await siege.until(({ running }) => running === 0, 'handlers are left');
  await siege.lift(`${requests} requests to slow handlers`, 150 * MB);
}, 60_000);

it('payloads that slow handlers hold stop at heldBytes, and a small one does not keep the frame that brought it', async () => {
  siege = await Siege.lay({ limits: { heldBytes: 32 * MB } });
  const attacker = await siege.attacker();
  const ask = { op: op.Request, deadlineMs: 60_000, flags: EOF };
  const calls = volume(200, 2_000);
  await attacker.flood(calls, (i) => ({ ...ask, muxId: i + 1, handler: 61, payload: Buffer.alloc(MB) }));
  await until(async () => attacker.count(op.MuxConnectError) === calls - 32, 'not refused', 30_000);
  const another = await siege.attacker(siege.names[1]);
  // one small slow request in each large frame
  await another.flood(calls, (i) => [
    { ...ask, muxId: 2 * i + 1, handler: 61, payload: 'x' },
    { op: op.MuxClientMsg, muxId: 2 * i + 2, flags: EOF, payload: Buffer.alloc(MB) },
  ]);
  await siege.until(({ running }) => running === 32 + calls, 'not all run');
  attacker.ws.destroy();
  another.ws.destroy();
  await siege.until(({ running }) => running === 0, 'handlers are left');
  await siege.lift(`${calls} payloads held, and as many frames`, 150 * MB);
}, 60_000);

it('input that nobody reads stops at heldBytes over all streams, and its room comes back', async () => {
  siege = await Siege.lay({ limits: { heldBytes: 32 * MB } });
  const attacker = await siege.attacker();
  for (let round = 1; round <= 3; round++) {
    const base = round * 100;
    for (let i = 0; i < 20; i++) {
      await attacker.send({ op: op.ConnectMux, muxId: base + i, handler: 64 });
      for (let seq = 1; seq <= 2; seq++) {
        await attacker.send({ op: op.MuxClientMsg, muxId: base + i, seq, payload: Buffer.alloc(MB) });
      }
    }
    // 16 streams have room for both of their messages
    await until(async () => attacker.count(op.MuxServerMsg) === round * 4, 'not ended', 10_000);
    expect((await siege.facts()).running).toBe(16);
    for (let i = 0; i < 20; i++) await attacker.send({ op: op.DisconnectServerMux, muxId: base + i });
    await siege.until(({ running }) => running === 0, 'handlers are left');
  }
  await siege.lift('input that is not read', 150 * MB);
}, 60_000);

it('a peer that asks for large answers and does not read is cut, and keeps no memory', async () => {
  siege = await Siege.lay({ intervals: { writeTimeoutMs: 1_000 } });
  const attacker = await siege.attacker();
  attacker.ws.socket.pause();
  const ask = { op: op.Request, handler: 62, deadlineMs: 60_000, flags: EOF, payload: String(MB) };
  await attacker.flood(volume(500, 5_000), (i) => ({ ...ask, muxId: i + 1 }));
  const [name] = siege.names;
  await siege.until(({ peers }) => peers.find(({ host }) => host === name)?.state !== 'connected', 'it is not cut');
  await siege.lift('large answers that are not read', 200 * MB);
}, 60_000);

it('credits beyond the capacity are dropped and counted', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  await attacker.send({ op: op.ConnectMux, muxId: 1, handler: 64, flags: EOF });
  const credits = volume(50_000, 1_000_000);
  expect(await attacker.flood(credits, (i) => ({ op: op.UnblockSrvMux, muxId: 1, seq: i + 1 }), 1_000)).toBe(true);
  await attacker.send({ op: op.Request, muxId: 2, handler: 60, payload: 'x', deadlineMs: 60_000, flags: EOF });
  await until(async () => attacker.count(op.Response) === 1, 'no echo', 20_000);
  const { peers, running } = await siege.facts();
  expect(peers.find(({ host }) => host === siege.names[0])).toMatchObject({ dropped: { 'excess-credit': credits } });
  expect(running).toBe(1);
  await siege.lift(`${credits} credits in excess`, 100 * MB);
}, 60_000);

it('pings past pingsPerSecond end the connection with 1008', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  expect(await attacker.flood(1_000_000, () => ({ op: op.Ping }))).toBe(false);
  expect(await closeOf(attacker.ws)).toEqual([1008, expect.stringContaining('pingsPerSecond')]);
  expect(attacker.count(op.Pong)).toBeLessThanOrEqual(100);
  await siege.lift('a million pings', 100 * MB);
}, 60_000);

it('a million pings in merged frames end it too', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  expect(await attacker.flood(1_000_000, () => ({ op: op.Ping }), 5_000)).toBe(false);
  expect(await closeOf(attacker.ws)).toEqual([1008, expect.stringContaining('pingsPerSecond')]);
  await siege.lift('a million pings, merged', 100 * MB);
}, 60_000);

it('opening and cancelling in a row ends with 1008 after cancelsPerSecond', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  const cancelled = (i: number): { op: number; muxId: number }[] => [
    { op: op.Request, muxId: i + 1, handler: 61, deadlineMs: 60_000, flags: EOF } as { op: number; muxId: number },
    { op: op.DisconnectServerMux, muxId: i + 1 },
  ];
  expect(await attacker.flood(200_000, cancelled, 500)).toBe(false);
  expect(await closeOf(attacker.ws)).toEqual([1008, expect.stringContaining('cancelsPerSecond')]);
  const { started } = await siege.until(({ running }) => running === 0, 'handlers are left');
  // a second may have passed meanwhile
  expect(started).toBeLessThanOrEqual(50_000);
  await siege.lift('200000 calls opened and cancelled', 100 * MB);
}, 60_000);

it('calls whose reset the peer provokes count until their handlers have ended', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  const streams = volume(12_000, 100_000);
  await attacker.flood(streams, (i) => [
    { op: op.ConnectMux, muxId: i + 1, handler: 65 },
    // no input is expected: the victim ends the stream
    { op: op.MuxClientMsg, muxId: i + 1, seq: 1, payload: 'x' },
  ]);
  await siege.until(({ running }) => running === 0, 'handlers are left');
  expect((await siege.facts()).mostRunning).toBeLessThanOrEqual(10_000);
  await siege.lift(`${streams} resets provoked`, 150 * MB);
}, 60_000);
