import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { wsSocket, type MessageSocket } from '../../lib/connection/index.js';
import { slabs, type Slab } from '../../lib/connection/slab.js';
import { patternBytes } from '../wire/build.js';
import { until } from './grid-end.js';

/** Round the borders where the length of a WebSocket frame takes more bytes, and beyond what a socket takes at once. */
const LENGTHS = [1, 7, 125, 126, 127, 65_535, 65_536, 200_000];

describe('what a dialing WebSocket writes', () => {
  let server: WebSocketServer;
  let client: WebSocket;
  let socket: MessageSocket;
  let slab: Slab;
  /** Whole messages, and the bytes of the TCP connection, as they came. */
  let messages: Buffer[];
  let raw: Buffer[];
  let closed: [number, string] | undefined;

  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    await once(server, 'listening');
    messages = [];
    raw = [];
    closed = undefined;
    server.on('connection', (ws, { socket: below }) => {
      // before `ws` takes the masks off
      below.prependListener('data', (chunk: Buffer) => raw.push(Buffer.from(chunk)));
      ws.on('message', (data: Buffer) => messages.push(data));
      ws.on('close', (code, reason) => (closed = [code, reason.toString()]));
    });
    client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { perMessageDeflate: false });
    let stream: Socket | undefined;
    client.once('upgrade', (response: IncomingMessage) => (stream = response.socket));
    await once(client, 'open');
    socket = wsSocket(client, '127.0.0.1', stream);
    slab = slabs.take(1024 * 1024);
  });
  afterEach(async () => {
    slabs.give(slab);
    socket.terminate();
    await until(() => server.clients.size === 0);
    server.close();
    await once(server, 'close');
  });

  const written = (frame: Uint8Array): Promise<Error | undefined> =>
    new Promise((resolve) => socket.send(frame, (error) => resolve(error ?? undefined)));

  /** Sends bytes from the slab, each frame behind the one before; resolves when it is written. */
  let next = 0;
  const send = (bytes: Uint8Array): Promise<Error | undefined> => {
    const frame = slab.bytes.subarray(next, (next += bytes.length));
    frame.set(bytes);
    return written(frame);
  };
  beforeEach(() => {
    next = 0;
  });

  it('arrives whole and in order, whether it is masked in place or by ws', async () => {
    const sent = LENGTHS.map((length) => patternBytes(length));
    const results: Promise<Error | undefined>[] = [];
    for (const bytes of sent) {
      results.push(send(bytes));
      // not in a slab: its memory belongs to who sends it
      results.push(written(bytes));
    }
    expect(await Promise.all(results)).toEqual(results.map(() => undefined));
    await until(() => messages.length === results.length);
    const expected = sent.flatMap((bytes) => [bytes, bytes]);
    expect(messages.map((message, i) => Buffer.compare(message, expected[i]!))).toEqual(expected.map(() => 0));
    sent.forEach((bytes, i) => expect(Buffer.compare(bytes, patternBytes(LENGTHS[i]!))).toBe(0));
  });

  it('is masked with a key of its own for each frame', async () => {
    const zeros = new Uint8Array(8);
    for (let i = 0; i < 3_000; i++) {
      void send(zeros);
      next = 0;
      await written(slab.bytes.subarray(0, 0));
    }
    await until(() => messages.filter(({ length }) => length === 8).length === 3_000);
    expect(messages.every((message) => message.every((byte) => byte === 0))).toBe(true);
    const bytes = Buffer.concat(raw);
    const keys = new Set<number>();
    // two frames in turn: one of 8 bytes, one of none
    for (let at = 0; at < bytes.length; at += 14 + 6) {
      expect(bytes.readUInt16BE(at)).toBe(0x8288);
      expect(bytes.readUInt32LE(at + 6)).toBe(bytes.readUInt32LE(at + 2));
      keys.add(bytes.readUInt32LE(at + 2));
    }
    expect(keys.size).toBeGreaterThan(2_990);
  });

  it('comes before the goodbye; what is sent after that fails', async () => {
    const first = send(patternBytes(100));
    socket.close(4001, 'enough');
    const second = send(patternBytes(200));
    expect(await first).toBeUndefined();
    expect(await second).toBeInstanceOf(Error);
    await until(() => closed !== undefined);
    expect([messages.map(({ length }) => length), closed]).toEqual([[100], [4001, 'enough']]);
  });

  it('fails when the connection breaks, and tells so once', async () => {
    for (const peer of server.clients) peer.terminate();
    await until(() => client.readyState === WebSocket.CLOSED);
    let calls = 0;
    const frame = slab.bytes.subarray(0, 10);
    const error = await new Promise((resolve) => {
      socket.send(frame, (fault) => {
        calls++;
        resolve(fault);
      });
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([error instanceof Error, calls]).toEqual([true, 1]);
  });
});
