// What comes of one peer in one go is read in parts, and others in between.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { afterEach, expect, it } from '@jest/globals';
import { WebSocketServer, type WebSocket } from 'ws';
import { wsSocket, type FrameSocket } from '../../lib/connection/index.js';
import { until } from '../until.js';

const ends: Socket[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.destroy();
});

/** A WebSocket that is not read yet, and the socket of its peer. */
async function open(): Promise<{ socket: FrameSocket; peer: Socket }> {
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [stream] = (await once(server, 'connection')) as [Socket];
  server.close();
  ends.push(peer, stream);
  const key = Buffer.alloc(16).toString('base64');
  const words = { upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13' };
  const request = { method: 'GET', headers: { ...words, 'sec-websocket-key': key }, url: '/' };
  const ws = await new Promise<WebSocket>((resolve) => {
    sockets.handleUpgrade(request as never, stream, Buffer.alloc(0), resolve);
  });
  return { socket: wsSocket(ws, undefined, { stream, masks: false, maxBytes: 1_000_000 }), peer };
}

/** The system has taken all of them. */
async function send(peer: Socket, frames: number): Promise<void> {
  // ten bytes, masked with zeros
  const frame = Buffer.concat([Buffer.from('828a00000000', 'hex'), Buffer.alloc(10)]);
  await new Promise((resolve) => peer.write(Buffer.concat(Array<Buffer>(frames).fill(frame)), resolve));
}

it('16,000 small messages that came at once take 160 ms: another peer is heard before they are done', async () => {
  const [busy, other] = [await open(), await open()];
  await send(busy.peer, 16_000);
  await send(other.peer, 1);
  const heard: string[] = [];
  const hear = (name: string, workMs: number): Parameters<FrameSocket['listen']>[0] => ({
    onFrame() {
      heard.push(name);
      for (const end = performance.now() + workMs; performance.now() < end;);
    },
    onViolation() {},
    onClose() {},
  });
  busy.socket.listen(hear('busy', 0.01));
  other.socket.listen(hear('other', 0));
  await until(() => heard.length === 16_001, 'not all are heard');
  expect(heard.indexOf('other')).toBeLessThan(10_000);
});
