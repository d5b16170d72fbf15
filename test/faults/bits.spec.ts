// H16: flipped bits between two processes. A message with a CRC is never delivered altered, whichever bit it was.
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { decodeFrame, EXTENSIONS } from '../../lib/wire/index.js';
import { until } from '../conformance/hang-budget.js';
import { FULL, volume } from '../scale.js';
import { ProxiedCluster } from './host-process.js';
import { framesOf, type Frame } from './recorded-frames.js';

const PAYLOADS = ['00112233', 'ffeeddcc', '8badf00d'];

let cluster: ProxiedCluster;
let peer: string;

beforeAll(async () => {
  cluster = await ProxiedCluster.start(1, {
    record: true,
    // no ping of the caller stands in the recorded bytes
    intervals: { pingMs: 60_000, dialTimeoutMs: 500 },
    targetIntervals: { pingMs: 60_000 },
    limits: { refusedPerMinute: 1_000_000, handshakeMs: 500 },
  });
  peer = cluster.target.local;
}, 60_000);
afterAll(() => cluster.end());

const caller = (): ProxiedCluster['callers'][0] => cluster.callers[0]!;

/** A connection from its first byte on: resolves when it stands; gives its number among those of the proxy. */
async function reconnected(arm: () => void = () => {}): Promise<number> {
  const { proxy } = cluster;
  await caller().tell('connect', { peer });
  const before = proxy.connected;
  proxy.heal();
  proxy.reset();
  arm();
  await until(async () => proxy.connected > before, 'it is dialed anew', 20_000);
  await caller().tell('connect', { peer });
  return proxy.connected - 1;
}

/** Every bit of these bytes, or every so many of them. */
function bitsOf(start: number, end: number, step: number): { byte: number; bit: number }[] {
  const bits: { byte: number; bit: number }[] = [];
  for (let at = start * 8; at < end * 8; at += step) bits.push({ byte: at >> 3, bit: at & 7 });
  return bits;
}

it('H16 a bit of the upgrade or the handshake is flipped, either way: refused or harmless, calls go on', async () => {
  const { proxy } = cluster;
  const connection = await reconnected();
  for (const way of ['there', 'back'] as const) {
    const bytes = proxy.recorded(connection, way);
    const { end } = framesOf(bytes)[0]!;
    const step = Math.ceil((end * 8) / volume(40, 1_000));
    for (const { byte, bit } of bitsOf(0, end, step)) {
      await reconnected(() => proxy[way].corrupt({ afterBytes: byte }, bit));
      const answer = await caller().tell('request', { peer, handler: 60, payload: 'x', timeoutMs: 5_000 });
      // a flip that was noticed after the handshake has cut the connection once more
      if (answer.error) expect(answer.error.code).toBe('UNAVAILABLE');
      else expect(answer.answer).toBe('x');
    }
  }
  await reconnected();
  expect(await caller().tell('request', { peer, handler: 60, payload: 'x' })).toMatchObject({ answer: 'x' });
}, 300_000);

it('H16 a bit of an answer is flipped: the caller gets the true answer or an error', async () => {
  const { proxy } = cluster;
  const ask = { peer, handler: 67, payload: PAYLOADS[0]!, timeoutMs: 2_000 };
  const connection = await reconnected();
  const before = proxy.recorded(connection, 'back').length;
  expect(await caller().tell('request', ask)).toMatchObject({ answer: PAYLOADS[0] });
  const bytes = proxy.recorded(connection, 'back').length - before;
  const codes: Record<string, number> = {};
  for (const { byte, bit } of bitsOf(0, bytes, FULL ? 1 : 7)) {
    await reconnected();
    proxy.back.corrupt({ afterBytes: byte }, bit);
    // what follows makes a frame that was said to be longer whole
    const [end] = await Promise.all([
      caller().tell('request', ask),
      caller().tell('bulk', { peer, count: 1, size: 70_000 }),
    ]);
    const { answer, error } = end;
    expect(error ? ['UNAVAILABLE', 'DEADLINE_EXCEEDED'] : [PAYLOADS[0]]).toContain(error ? error.code : answer);
    const code = error?.code ?? 'answered';
    codes[code] = (codes[code] ?? 0) + 1;
  }
  expect(codes['UNAVAILABLE']).toBeGreaterThan(20);
}, 300_000);

it('H16 each bit of a recorded request and of a merged frame is flipped: none is ever served altered', async () => {
  const connection = await reconnected();
  const whole = await caller().tell('several', { peer, payloads: PAYLOADS });
  expect(whole.map(({ answer }) => answer)).toEqual(PAYLOADS);
  const recorded = cluster.proxy.recorded(connection, 'there');
  // its name is taken by those who repeat what it said
  await caller().end();
  const [handshake, ...frames] = framesOf(recorded) as [Frame, ...Frame[]];
  const rules = { extensions: new Set(EXTENSIONS), messageBytes: Infinity, frameMessages: Infinity };
  expect(frames.map(({ payload }) => decodeFrame(payload, rules).length)).toEqual([1, 2]);

  const before = await cluster.target.tell('seen');
  await replay(recorded, handshake.end);
  const once = await cluster.target.tell('seen');
  // repeated as it was, it is served: what is refused below is refused for its bit
  for (const payload of PAYLOADS) expect(once[payload]).toBe((before[payload] ?? 0) + 1);
  const bits = frames.flatMap(({ start, end }, index) => bitsOf(start, end, FULL || index === 0 ? 1 : 5));
  for (const { byte, bit } of bits) {
    const flipped = Buffer.from(recorded);
    flipped[byte]! ^= 1 << bit;
    await replay(flipped, handshake.end);
  }
  const seen = await cluster.target.tell('seen');
  expect(Object.keys(seen).toSorted()).toEqual(PAYLOADS.toSorted());
  // The frame that is whole is served each time, that of the flipped bit never. One bit makes a WebSocket pong of a
  // binary frame: that is lost as if it was never sent, and nobody can tell.
  const [request, merged] = frames.map(
    ({ start, end }) => bits.filter(({ byte }) => byte >= start && byte < end).length,
  );
  expect(seen[PAYLOADS[0]!]! - once[PAYLOADS[0]!]!).toBe(merged);
  for (const payload of PAYLOADS.slice(1)) expect(seen[payload]! - once[payload]!).toBe(1);
  expect(request! + merged!).toBe(bits.length);
  expect((await cluster.target.tell('facts')).peers).toMatchObject([{ open: 0 }]);
}, 300_000);

/** Says what was recorded once more: the handshake, and when that is answered, the rest and the end. */
async function replay(recorded: Buffer, handshakeEnd: number): Promise<void> {
  const socket = connect({ port: cluster.proxy.port, host: '127.0.0.1' });
  let answer = Buffer.alloc(0);
  let rest = false;
  socket.on('data', (chunk: Buffer) => {
    answer = Buffer.concat([answer, chunk]);
    if (rest || !answer.includes('\r\n\r\n') || framesOf(answer).length === 0) return;
    rest = true;
    socket.end(recorded.subarray(handshakeEnd));
  });
  socket.on('error', () => socket.destroy());
  socket.write(recorded.subarray(0, handshakeEnd));
  await once(socket, 'close');
  expect(rest).toBe(true);
}
