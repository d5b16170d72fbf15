// What a peer makes its victim hold, to the last call and byte. The other floods are in arsenal.ts.
import { afterEach, expect, it } from '@jest/globals';
import { EOF, METADATA, op } from '../conformance/raw-codec.js';
import { map, str } from '../conformance/raw-msgpack.js';
import { until } from '../conformance/hang-budget.js';
import { MB, volume } from '../scale.js';
import { Siege } from './siege.js';

/** Hang budgets: of one wait, and of a test. Gigabytes travel at full volume. */
const HUNG_MS = volume(30_000, 120_000);
const TEST_MS = volume(60_000, 400_000);

let siege: Siege;
afterEach(() => siege.end());

it('streams whose end never gets its credit count as open, though their handlers have ended', async () => {
  siege = await Siege.lay();
  const attacker = await siege.attacker();
  const streams = volume(12_000, 50_000);
  await attacker.flood(streams, (i) => ({ op: op.ConnectMux, muxId: i + 1, handler: 66, flags: EOF }));
  await until(
    async () => attacker.count(op.AckMux) + attacker.count(op.MuxConnectError) === streams,
    'no answers',
    HUNG_MS,
  );
  expect([attacker.count(op.AckMux), attacker.count(op.MuxConnectError)]).toEqual([10_000, streams - 10_000]);
  await siege.lift(`${streams} streams without the last credit`, 150 * MB);
}, TEST_MS);

it('payloads that slow handlers hold stop at heldBytes, and a small one does not keep its frame', async () => {
  siege = await Siege.lay({ limits: { heldBytes: 32 * MB } });
  const attacker = await siege.attacker();
  const ask = { op: op.Request, deadlineMs: 60_000, flags: EOF };
  const calls = volume(200, 2_000);
  await attacker.flood(calls, (i) => ({ ...ask, muxId: i + 1, handler: 61, payload: Buffer.alloc(MB) }));
  await until(async () => attacker.count(op.MuxConnectError) === calls - 32, 'not refused', HUNG_MS);
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
}, TEST_MS);

it('metadata that slow handlers hold stops at heldBytes, by what its entries take and not by its bytes', async () => {
  siege = await Siege.lay({ limits: { heldBytes: 32 * MB } });
  const attacker = await siege.attacker();
  const entries = 1_600;
  // 8 KiB, of which three characters make each a key: some 90 KB of strings
  const metadata = map(Array.from({ length: entries }, (_, i) => [(1_296 + i).toString(36), str('')]));
  const calls = volume(2_000, 20_000);
  const ask = { op: op.Request, deadlineMs: 60_000, flags: EOF | METADATA, handler: 61, metadata };
  await attacker.flood(calls, (i) => ({ ...ask, muxId: i + 1 }));
  const fit = Math.floor((32 * MB) / (metadata.length + entries * 64));
  await until(async () => attacker.count(op.MuxConnectError) === calls - fit, 'not refused', HUNG_MS);
  expect((await siege.facts()).running).toBe(fit);
  attacker.ws.destroy();
  await siege.until(({ running }) => running === 0, 'handlers are left');
  await siege.lift(`${calls} calls with metadata`, 250 * MB);
}, TEST_MS);

it('input that nobody reads stops at heldBytes over all streams, and its room comes back', async () => {
  siege = await Siege.lay({ limits: { heldBytes: 32 * (MB + 256) } });
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
}, TEST_MS);

it('small messages that nobody reads stop at heldBytes by what they take and not by their bytes', async () => {
  siege = await Siege.lay({ limits: { heldBytes: 32 * MB } });
  const attacker = await siege.attacker();
  const [streams, each] = [volume(450, 2_000), 1_000];
  const opening = { op: op.ConnectMux, handler: 71 };
  // without a credit for its answers the handler reads no more than some thirty of them
  await attacker.flood(
    streams * (each + 1),
    (i) => {
      const [muxId, seq] = [Math.floor(i / (each + 1)) + 1, i % (each + 1)];
      return seq === 0 ? { ...opening, muxId } : { op: op.MuxClientMsg, muxId, seq, payload: '\u0001' };
    },
    each + 1,
  );
  await attacker.send({ ...siege.calls.echo, muxId: 1n << 50n });
  await until(async () => attacker.count(op.Response) === 1, 'no echo', HUNG_MS);
  const { incoming } = await siege.peer(siege.names[0]!);
  expect(incoming).toBeGreaterThan(0);
  expect(incoming).toBeLessThan((32 * MB) / (900 * 256));
  await siege.lift(`${streams * each} small messages unread`, 80 * MB);
}, TEST_MS);

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
}, TEST_MS);
