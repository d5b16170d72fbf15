// Payloads as bombs: what a peer sends is decoded by the default codec of a handler. And the pings of streams.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { until } from '../conformance/hang-budget.js';
import { EOF, op } from '../conformance/raw-codec.js';
import { MB, volume } from '../scale.js';
import { RawWebSocket } from './raw-websocket.js';
import { Siege } from './siege.js';
import { ManagerHold } from './stronghold.js';

let siege: Siege | undefined;
beforeAll(async () => {
  siege = await Siege.around((host) => ManagerHold.raise(host));
}, 60_000);
afterAll(() => siege?.end());

const claim = (hex: string): Buffer => Buffer.from(hex, 'hex');
/** A map of so many pairs, key and value nil. */
const pairs = (count: number): Buffer => {
  const bytes = Buffer.alloc(5 + 2 * count, 0xc0);
  bytes[0] = 0xdf;
  bytes.writeUInt32BE(count, 1);
  return bytes;
};

const BOMBS: [string, Buffer][] = [
  ['an array of 4 billion', claim('ddffffffff')],
  ['a map of 4 billion', claim('dfffffffff')],
  ['a text of 4 GiB', claim('dbffffffff')],
  ['bytes of 4 GiB', claim('c6ffffffff')],
  ['an extension of 4 GiB', claim('c9ffffffff70')],
  ['arrays, each of which claims 65,535 more', Buffer.from('dcffff'.repeat(50_000), 'hex')],
  ['arrays in arrays, a million deep', Buffer.alloc(1_000_000, 0x91)],
  ['maps in maps, a million deep', Buffer.from('81a161'.repeat(300_000), 'hex')],
  ['a reference to itself (extension 0x70)', claim('c7047000000001')],
  ['records of msgpackr', claim('d4724091a161d47240c0')],
  ['a map with a million equal keys', pairs(1_000_000)],
  ['left-over bytes', claim('c0c0')],
  ['nothing but the unused byte', Buffer.alloc(100_000, 0xc1)],
];

it.each(BOMBS.map(([name, payload], index) => ({ name, payload, index })))(
  'of a request and of a stream: $name',
  async ({ name, payload, index }) => {
    await siege!.begin();
    const attacker = await siege!.attacker(siege!.names[index]);
    await attacker.send({ op: op.Request, muxId: 1, handler: 70, deadlineMs: 60_000, flags: EOF, payload });
    await attacker.send({ op: op.ConnectMux, muxId: 2, handler: 71 });
    await attacker.send({ op: op.MuxClientMsg, muxId: 2, seq: 1, payload });
    await until(async () => attacker.count(op.Response) === 1, 'no answer', 10_000);
    await until(async () => attacker.count(op.MuxServerMsg) >= 1, 'no answer of the stream', 10_000);
    const text = attacker.firstOf(op.Response)!.metadata!.toString();
    expect(text).toContain('"INVALID_ARGUMENT"');
    expect(attacker.firstOf(op.MuxServerMsg)!.metadata!.toString()).toContain('"INVALID_ARGUMENT"');
    attacker.ws.destroy();
    await siege!.lift(`a payload that is ${name}`, 60 * MB);
  },
  60_000,
);

it('a payload of maps that have one large number each takes no memory for those before it', async () => {
  await siege!.begin();
  const attacker = await siege!.attacker(siege!.names[BOMBS.length]);
  // a list with room for all numbers up to 1,023 takes 12 KB: of as many the process would die
  const maps = 400_000;
  const payload = Buffer.concat([claim('dd00061a80'), Buffer.alloc(5 * maps, claim('81cd03ffc0'))]);
  await attacker.send({ op: op.Request, muxId: 1, handler: 70, deadlineMs: 60_000, flags: EOF, payload });
  await until(async () => attacker.count(op.Response) === 1, 'no answer', 20_000);
  expect(attacker.lastOf(op.Response)!.payload.toString()).toContain('object');
  attacker.ws.destroy();
  await siege!.lift(`a payload of ${maps} maps with a number each`, 250 * MB);
}, 60_000);

it('values that take seventy times their bytes count for what they take, as long as handlers keep them', async () => {
  await siege!.begin();
  const attacker = await siege!.attacker(siege!.names[BOMBS.length + 1]);
  // 64 bytes of memory for each byte: forty that are kept are 2.7 GB
  const payload = Buffer.concat([claim('dd000ffff0'), Buffer.alloc(0xffff0, 0x80)]);
  for (let muxId = 1; muxId <= 40; muxId++) {
    await attacker.send({ op: op.Request, muxId, handler: 72, deadlineMs: 60_000, flags: EOF, payload });
  }
  // three fit under heldBytes of 256 MiB; what was read of the others is garbage, which V8 collects when it likes
  await until(async () => attacker.count(op.Response) === 37, 'the others are not refused', 40_000);
  expect(attacker.lastOf(op.Response)!.payload.toString()).toBe('more than heldBytes (268435456) wait for handlers');
  attacker.ws.destroy();
  await siege!.lift('forty payloads of a million maps, kept', 1_900 * MB);
}, 60_000);

it('compression that is offered is not agreed on', async () => {
  const offered = await RawWebSocket.open(siege!.origin, {
    route: siege!.victim.route,
    headers: { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' },
  });
  expect(offered.answer.toLowerCase()).not.toContain('sec-websocket-extensions');
  offered.destroy();
});

it('the pings of many streams are answered: they are no pings of the connection', async () => {
  await siege!.begin();
  // openStreams is a cap per peer
  const peers = volume(1, 10);
  const attackers = await Promise.all(
    Array.from({ length: peers }, (_, i) => siege!.attacker(siege!.names[20 + i])),
  );
  for (const attacker of attackers) {
    await attacker.flood(10_000, (i) => ({ ...siege!.calls.mute, muxId: i + 1 }));
    await attacker.flood(10_000, (i) => ({ op: op.Ping, muxId: i + 1, seq: 1 }), 1_000);
  }
  for (const attacker of attackers) {
    await until(async () => attacker.count(op.Pong) === 10_000, 'not all answered', 30_000);
    expect(attacker.ws.ended).toBe(false);
    attacker.ws.destroy();
  }
  for (let i = 0; i < peers; i++) await siege!.quiet(siege!.names[20 + i]!);
  await siege!.lift(`${peers * 10_000} streams that are pinged`, volume(150, 800) * MB);
}, 120_000);
