import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { wsSocket, type FrameSocket } from '../../lib/connection/index.js';
import { slabs, type Slab } from '../../lib/connection/slab.js';
import { WS_HEADER_MAX } from '../../lib/connection/ws-header.js';
import { turn } from '../turn.js';
import { patternBytes } from '../wire/build.js';
import { until } from '../until.js';

/** Round the borders where the length of a WebSocket frame takes more bytes, and beyond what a socket takes at once. */
const LENGTHS = [1, 7, 125, 126, 127, 65_535, 65_536, 200_000];

/** The codec's own memory is masked where it is; other memory goes through it. */
const PLACES = ['near', 'far'] as const;

describe.each([
  ['dialed', true],
  ['was dialed', false],
])('a WebSocket that %s', (_, masks) => {
  let server: WebSocketServer;
  let ours: WebSocket;
  let theirs: WebSocket;
  let socket: FrameSocket;
  let slab: Slab;
  let next: number;
  let far: Buffer;
  /** Whole messages, and the bytes of the TCP connection, as they came. */
  let messages: Buffer[];
  let raw: Buffer[];

  beforeEach(async () => {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    await once(server, 'listening');
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      perMessageDeflate: false,
    });
    const upgraded = once(client, 'upgrade') as Promise<[IncomingMessage]>;
    const connected = once(server, 'connection') as Promise<[WebSocket, IncomingMessage]>;
    await once(client, 'open');
    const [accepted, request] = await connected;
    const [response] = await upgraded;
    const streams: [Socket, Socket] = [response.socket, request.socket];
    [ours, theirs] = masks ? [client, accepted] : [accepted, client];
    const [stream, other] = masks ? streams : streams.toReversed();
    messages = [];
    raw = [];
    // before `ws` takes the masks off
    other!.prependListener('data', (chunk: Buffer) => raw.push(Buffer.from(chunk)));
    theirs.on('message', (data: Buffer) => messages.push(data));
    socket = wsSocket(ours, '127.0.0.1', { stream: stream!, masks, maxBytes: 1024 * 1024 });
    slab = slabs.take(1024 * 1024);
    next = 0;
    far = Buffer.alloc(1024 * 1024);
  });
  afterEach(async () => {
    slabs.give(slab);
    socket.terminate();
    theirs.terminate();
    await until(() => server.clients.size === 0);
    server.close();
    await once(server, 'close');
  });

  /** Sends bytes with room in front of them, each frame behind the one before; resolves when it is written. */
  const send = (bytes: Uint8Array, memory = slab.bytes): Promise<Error | undefined> => {
    const start = next + WS_HEADER_MAX;
    next = start + bytes.length;
    const frame = memory.subarray(start, next);
    frame.set(bytes);
    return new Promise((resolve) => socket.send(frame, (error) => resolve(error ?? undefined), WS_HEADER_MAX));
  };

  it('delivers frames whole and in order, wherever they lie, with and without room in front of them', async () => {
    const results: Promise<Error | undefined>[] = [];
    const sent = LENGTHS.map((length) => patternBytes(length));
    for (const bytes of sent) {
      results.push(send(bytes), send(bytes, far));
      // no room: the memory is not for others to change
      results.push(new Promise((resolve) => socket.send(bytes, (error) => resolve(error ?? undefined))));
    }
    expect(await Promise.all(results)).toEqual(results.map(() => undefined));
    await until(() => messages.length === results.length);
    const expected = sent.flatMap((bytes) => [bytes, bytes, bytes]);
    expect(messages.map((message, i) => Buffer.compare(message, expected[i]!))).toEqual(expected.map(() => 0));
    sent.forEach((bytes, i) => expect(Buffer.compare(bytes, patternBytes(LENGTHS[i]!))).toBe(0));
  });

  it.each(PLACES)('masks each frame with a key of its own, or none: %s', async (place) => {
    const count = 3_000;
    const zeros = new Uint8Array(8);
    for (let i = 0; i < count; i++) {
      next = 0;
      await send(zeros, place === 'near' ? slab.bytes : far);
    }
    await until(() => messages.length === count);
    expect(messages.every((message) => message.equals(zeros))).toBe(true);
    const bytes = Buffer.concat(raw);
    const keys = new Set<number>();
    const frameBytes = masks ? 14 : 10;
    expect(bytes.length).toBe(count * frameBytes);
    for (let at = 0; at < bytes.length; at += frameBytes) {
      expect(bytes.readUInt16BE(at)).toBe(masks ? 0x8288 : 0x8208);
      if (masks) expect(bytes.readUInt32LE(at + 6)).toBe(bytes.readUInt32LE(at + 2));
      keys.add(bytes.readUInt32LE(at + 2));
    }
    // 3,000 of 2^32
    if (masks) expect(keys.size).toBeGreaterThan(count - 10);
    else expect(keys).toEqual(new Set([0]));
  });

  it.each(PLACES)('writes frames before its goodbye; those after it fail: %s', async (place) => {
    const memory = place === 'near' ? slab.bytes : far;
    const closed = once(theirs, 'close') as Promise<[number, Buffer]>;
    const first = send(patternBytes(100), memory);
    socket.close(4001, 'enough');
    const second = send(patternBytes(200), memory);
    expect(await first).toBeUndefined();
    expect(await second).toBeInstanceOf(Error);
    const [code, reason] = await closed;
    expect([messages.map(({ length }) => length), code, String(reason)]).toEqual([[100], 4001, 'enough']);
  });

  it('tells once that a frame was not written', async () => {
    theirs.terminate();
    await until(() => ours.readyState === WebSocket.CLOSED);
    const faults: unknown[] = [];
    socket.send(slab.bytes.subarray(20, 30), (fault) => faults.push(fault), WS_HEADER_MAX);
    await until(() => faults.length > 0);
    await turn();
    expect(faults).toEqual([expect.any(Error)]);
  });
});
