import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TcpFaultProxy, type TcpFaultProxyOptions } from '../../lib/testing/tcp-fault-proxy.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import { turn } from '../turn.js';
import { until } from '../until.js';

/** One side of a proxied connection: what it got, and how it ended. */
class Side {
  readonly chunks: Buffer[] = [];
  length = 0;
  end: 'fin' | 'rst' | undefined;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
    });
    socket.on('end', () => (this.end ??= 'fin'));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') this.end ??= 'rst';
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

let server: Server;
let proxy: TcpFaultProxy;
let clock: ManualClock;
let sides: Side[];

beforeEach(async () => {
  sides = [];
  clock = new ManualClock();
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const { socket } of sides) socket.destroy();
  await proxy.close();
  server.close();
  await once(server, 'close');
  expect(clock.timers).toBe(0);
});

async function opened(options: TcpFaultProxyOptions = {}): Promise<{ client: Side; target: Side }> {
  proxy = await TcpFaultProxy.before((server.address() as AddressInfo).port, { clock, ...options });
  return joined();
}

async function joined(): Promise<{ client: Side; target: Side }> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = new Side(connect(proxy.port, '127.0.0.1'));
  const target = new Side((await accepted)[0]);
  sides.push(client, target);
  return { client, target };
}

const has = (side: Side, length: number): Promise<void> =>
  until(() => side.length >= length, `${length} bytes have arrived`);

async function turns(): Promise<void> {
  for (let count = 0; count < 50; count++) await turn();
}

it('passes everything on both ways, each half-close too', async () => {
  const { client, target } = await opened();
  const [there, back] = [randomBytes(300_000), randomBytes(300_000)];
  client.socket.end(there);
  target.socket.write(back);
  await has(target, there.length);
  await until(() => target.end === 'fin', 'the half-close came');
  target.socket.end();
  await until(() => client.end === 'fin', 'and the other');
  expect(target.bytes.equals(there) && client.bytes.equals(back)).toBe(true);
  expect([proxy.there.bytes, proxy.back.bytes, proxy.connected]).toEqual([300_000, 300_000, 1]);
});

it('records who sent what, on which connection, whatever became of it', async () => {
  const { client, target } = await opened({ record: true });
  proxy.there.corrupt({ afterBytes: 1 });
  client.socket.write('one');
  await has(target, 3);
  target.socket.write('answer');
  await has(client, 6);
  const second = await joined();
  clock.advance(5);
  second.client.socket.write('two');
  await has(second.target, 3);
  expect(proxy.recorded(0, 'there').toString()).toBe('one');
  expect(proxy.recorded(0, 'back').toString()).toBe('answer');
  expect(proxy.records.at(-1)).toMatchObject({ connection: 1, way: 'there', atMs: 5, bytes: Buffer.from('two') });
  expect(target.bytes.toString()).toBe('ooe');
});

it.each(['cut', 'reset'] as const)('%s after a byte: it arrives, the next does not, both sides end', async (how) => {
  const { client, target } = await opened();
  proxy.there[how]({ afterBytes: 4 });
  expect(proxy.there.armed).toBe(1);
  client.socket.write('abcdefgh');
  await until(() => client.end !== undefined && target.end !== undefined, 'both ended');
  expect([target.bytes.toString(), client.end]).toEqual(['abcd', how === 'cut' ? 'fin' : 'rst']);
  // a reset that comes along with bytes is told as their end
  if (how === 'cut') expect(target.end).toBe('fin');
  expect(proxy.there.armed).toBe(0);
  const again = await joined();
  again.client.socket.write('abcdefgh');
  await has(again.target, 8);
});

it('cut and reset without a point break what stands, at once', async () => {
  const first = await opened();
  proxy.reset();
  await until(() => first.client.end === 'rst' && first.target.end === 'rst', 'reset');
  const second = await joined();
  proxy.cut();
  await until(() => second.client.end === 'fin' && second.target.end === 'fin', 'cut');
});

it('counts bytes over connections, and each way for itself', async () => {
  const { client, target } = await opened();
  proxy.back.reset({ afterBytes: 2 });
  client.socket.write('many bytes the other way');
  await has(target, 24);
  target.socket.write('a');
  await has(client, 1);
  client.socket.destroy();
  const again = await joined();
  again.target.socket.write('bc');
  await until(() => again.client.end !== undefined, 'the second byte of that way');
  expect(again.client.bytes.toString()).toBe('b');
});

it('flips a bit of exactly one byte', async () => {
  const { client, target } = await opened();
  for (const bit of [0, 7]) proxy.there.corrupt({ afterBytes: 2 + bit }, bit);
  client.socket.write(Buffer.alloc(8));
  client.socket.write(Buffer.alloc(8));
  await has(target, 16);
  expect([...target.bytes].map((byte, index) => (byte === 0 ? 0 : [index, byte]))).toEqual(
    Array.from({ length: 16 }, (_, index) => (index === 2 ? [2, 1] : index === 9 ? [9, 128] : 0)),
  );
});

it('a stall passes nothing, no end either, blocks the sender in the end, and goes on when healed', async () => {
  const { client, target } = await opened();
  proxy.there.stall();
  const bytes = randomBytes(12 << 20);
  let written = false;
  client.socket.end(bytes, () => (written = true));
  target.socket.write('the other way');
  await has(client, 13);
  await turns();
  expect([target.length, target.end, written]).toEqual([0, undefined, false]);
  proxy.heal();
  await has(target, bytes.length);
  await until(() => target.end === 'fin' && written, 'its end came too');
  expect(target.bytes.equals(bytes)).toBe(true);
});

it('a stall both ways keeps the reset of one side from the other until it is healed', async () => {
  const { client, target } = await opened();
  client.socket.write('x');
  await has(target, 1);
  proxy.stall();
  client.socket.resetAndDestroy();
  await turns();
  expect(target.end).toBeUndefined();
  proxy.heal();
  await until(() => target.end !== undefined, 'then it is told');
});

it.each(['cut', 'reset'] as const)('%s ends the side too that does not know that the other is gone', async (how) => {
  const { client, target } = await opened();
  client.socket.write('x');
  await has(target, 1);
  proxy.stall();
  target.socket.resetAndDestroy();
  await once(target.socket, 'close');
  await turns();
  expect(client.end).toBeUndefined();
  proxy[how]();
  await until(() => client.end === (how === 'cut' ? 'fin' : 'rst'), 'the other end is told');
});

it('a swallower takes everything, and what it took is lost', async () => {
  const { client, target } = await opened();
  proxy.there.swallow();
  let written = false;
  client.socket.write(randomBytes(12 << 20), () => (written = true));
  await until(() => written, 'all was taken');
  expect(target.length).toBe(0);
  await until(() => proxy.there.bytes === 12 << 20, 'and swallowed');
  proxy.heal();
  client.socket.write('after');
  await has(target, 5);
  expect(target.bytes.toString()).toBe('after');
});

it('slices: every byte comes in its turn, in a write of its own', async () => {
  const { client, target } = await opened();
  proxy.there.slice(1);
  const bytes = randomBytes(5_000);
  client.socket.write(bytes);
  await has(target, bytes.length);
  expect(target.bytes.equals(bytes)).toBe(true);
  // the system may join some of them again
  expect(target.chunks.length).toBeGreaterThan(50);
});

it('delays on its clock, in order whatever the jitter', async () => {
  const chances = [0.9, 0, 0.5];
  clock = new ManualClock(0, () => chances.shift() ?? 0);
  const { client, target } = await opened({ clock });
  proxy.there.delay(100, 50);
  client.socket.write('a');
  await until(() => clock.timers === 1, 'the first waits');
  client.socket.write('b');
  await turns();
  clock.advance(144);
  await turns();
  expect(target.bytes.toString()).toBe('');
  clock.advance(1);
  await has(target, 2);
  expect(target.bytes.toString()).toBe('ab');
});

it('limits: so many bytes in a second of its clock', async () => {
  const { client, target } = await opened();
  proxy.there.limit(10_000);
  client.socket.write(Buffer.alloc(5_000));
  for (let ms = 0; ms < 250; ms += 10) {
    await turns();
    clock.advance(10);
  }
  await turns();
  expect(target.length).toBeGreaterThan(2_000);
  expect(target.length).toBeLessThanOrEqual(2_600);
  proxy.heal();
  await has(target, 5_000);
});
