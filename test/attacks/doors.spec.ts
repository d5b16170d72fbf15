import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connectRequest, encode, EOF, merged, op } from '../conformance/raw-codec.js';
import { until, within } from '../conformance/hang-budget.js';
import { dialTcp, frame, frameHead, upgradeRequest } from './raw-websocket.js';
import { MB, volume } from '../scale.js';
import { closeOf, Siege } from './siege.js';

const MESSAGE_BYTES = 16 * MB;
const FRAME_BYTES = 16 * MB + 64 * 1_024;

let siege: Siege;

describe('what one frame may claim', () => {
  beforeEach(async () => {
    siege = await Siege.lay();
  });
  afterEach(() => siege.end());

  it('messageBytes and frameBytes: at the cap it is served, one past it is closed with 1009', async () => {
    const ask = { op: op.Request, handler: 60, deadlineMs: 60_000, flags: EOF };
    const attacker = await siege.attacker();
    await attacker.send({ ...ask, muxId: 1, payload: Buffer.alloc(MESSAGE_BYTES) });
    await until(async () => attacker.count(op.Response) === 1, 'no echo', 60_000);
    // a frame of exactly frameBytes: one message at the cap and others beside it
    const items = [encode({ ...ask, muxId: 2, payload: Buffer.alloc(MESSAGE_BYTES) })];
    const room = FRAME_BYTES - merged(items).length - merged([Buffer.alloc(1_000)]).length;
    const small = encode({ ...ask, muxId: 3, payload: Buffer.alloc(room - 100) });
    const short = FRAME_BYTES - merged([...items, small]).length;
    items.push(encode({ ...ask, muxId: 3, payload: Buffer.alloc(room - 100 + short) }));
    expect(merged(items).length).toBe(FRAME_BYTES);
    await attacker.ws.write(frame(merged(items)));
    await until(async () => attacker.count(op.Response) === 3, 'no echo of a full frame', 60_000);
    await attacker.send({ ...ask, muxId: 4, payload: Buffer.alloc(MESSAGE_BYTES + 1) });
    expect(await closeOf(attacker.ws)).toEqual([1009, expect.stringContaining('messageBytes')]);
    const another = await siege.attacker();
    await another.ws.write(frame(Buffer.alloc(FRAME_BYTES + 1)));
    expect((await closeOf(another.ws))[0]).toBe(1009);
    await siege.lift('frames at their caps', 250 * MB);
  }, 180_000);
});

describe('a socket whose handshake does not go on', () => {
  const handshakeMs = 3_000;
  beforeEach(async () => {
    siege = await Siege.lay({ limits: { handshakeMs } });
  });
  afterEach(() => siege.end());

  it('is closed: nothing sent, half a request, a request without its body, upgraded without Connect', async () => {
    const sockets: Socket[] = [];
    const whole = upgradeRequest(siege.origin, { route: '/grid/v1' });
    const openings = ['', 'GET /grid', whole.slice(0, -2), 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n'];
    for (let n = 0; n < volume(50, 500); n++) {
      for (const opening of openings) {
        const socket = await dialTcp(siege.origin);
        socket.resume().write(opening);
        sockets.push(socket);
      }
    }
    const upgraded = await Promise.all(Array.from({ length: 50 }, () => siege.open()));
    for (const ws of upgraded) expect(await closeOf(ws)).toEqual([1008, expect.stringContaining('handshakeMs')]);
    const gone = sockets.filter(({ destroyed }) => !destroyed).map((socket) => once(socket, 'close'));
    await within(Promise.all(gone), 'silent sockets are still open', 10_000);
    await siege.lift(`${sockets.length + upgraded.length} silent sockets`, 50 * MB);
  });

  it('more of them than pendingHandshakes are answered 503, and there is room again afterwards', async () => {
    const waiting = await Promise.all(Array.from({ length: 128 }, () => siege.open()));
    await expect(siege.open()).rejects.toThrow('503');
    for (const ws of waiting) await ws.closed;
    await siege.attacker();
    await siege.lift('128 handshakes pending', 50 * MB);
  });
});

describe('before it is let in', () => {
  beforeAll(async () => {
    // all of them come from one address
    siege = await Siege.lay({ limits: { refusedPerMinute: 1_000 } });
  });
  afterAll(() => siege.end());

  it('a dialer that sends more than a handshake takes is closed with 1009, however large a frame may be', async () => {
    const tooMuch = Buffer.alloc(MB);
    const pour = async (): Promise<void> => {
      const ws = await siege.open();
      await ws.write(frameHead(FRAME_BYTES));
      for (let sent = 0; sent < 15 && (await ws.write(tooMuch)); sent++);
      expect((await closeOf(ws))[0]).toBe(1009);
    };
    await Promise.all(Array.from({ length: volume(50, 128) }, pour));
    expect((await siege.facts()).lines.filter((line) => line.includes('before the end of the handshake'))).toHaveLength(
      1,
    );
  });

  it('one whose Connect comes byte by byte is let in', async () => {
    const ws = await siege.open();
    const answered = new Promise((resolve) => (ws.onFrame = resolve));
    const payload = connectRequest({ id: randomBytes(16), host: siege.names[0]!, token: '' });
    for (const byte of frame(encode({ op: op.Connect, flags: 0, payload }))) await ws.write(Buffer.from([byte]));
    await within(answered, 'no answer to Connect', 10_000);
    ws.destroy();
  });

  it('a browser is refused by its Origin header', async () => {
    await expect(siege.open({ headers: { origin: 'http://evil.test' } })).rejects.toThrow('403');
  });

  it.each([
    // newer versions of Node refuse a thousand
    ['900 headers', Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`x-${i}`, 'y'])), 101],
    ['spaces in a header', { 'sec-websocket-protocol': `a${' '.repeat(12_000)}b` }, 400],
    ['an extension named constructor', { 'sec-websocket-extensions': 'constructor; __proto__=1' }, 101],
  ])('an upgrade request with %s does no harm', async (_, headers, status) => {
    const answer = await siege.open({ headers }).then(
      (ws) => ws.answer,
      (error: Error) => error.message,
    );
    expect(answer.slice(0, 13)).toBe(`HTTP/1.1 ${status} `);
    expect(siege.victim.alive).toBe(true);
  });

  it('and costs little', async () => {
    await siege.lift('uninvited sockets', 100 * MB);
  });
});
