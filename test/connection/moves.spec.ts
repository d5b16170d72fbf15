import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, it } from '@jest/globals';
import { WebSocketServer, type WebSocket } from 'ws';
import { wsSocket, type FrameSocket } from '../../lib/connection/index.js';
import type { Traffic } from '../../lib/connection/message-socket.js';
import { movesOf } from '../../lib/connection/moves.js';
import { silentSocket } from './silent-socket.js';
import { until } from '../until.js';

/** Asked again and again, with what the socket tells each time. */
function movesBy(...told: Partial<Traffic>[]): boolean[] {
  let next: Traffic = { read: 0, taken: 0, waiting: 0 };
  const moves = movesOf(silentSocket({ traffic: () => next }));
  return told.map((traffic) => {
    next = { ...next, ...traffic };
    return moves();
  });
}

it('a peer is heard by what comes, if that is more than pings', () => {
  const told = [{ read: 5_000 }, { read: 9_000 }, { read: 9_100 }, { read: 14_000 }];
  expect(movesBy(...told)).toEqual([true, false, false, true]);
});

it('and by what the system takes of what waits: with nothing waiting it takes all, into a black hole too', () => {
  const told = [{ taken: 500 }, { taken: 1_000 }, { waiting: 100 }, { taken: 1_100 }, { waiting: 900 }];
  expect(movesBy(...told)).toEqual([false, false, false, true, false]);
});

it('a socket that does not tell is judged by its pongs alone', () => {
  const moves = movesOf(silentSocket({}));
  expect([moves(), moves()]).toEqual([false, false]);
});

let ends: { destroy(): void }[] = [];
afterEach(() => {
  for (const end of ends) end.destroy();
  ends = [];
});

/** A WebSocket over a real socket, and the socket of the other end. */
async function open(): Promise<{ socket: FrameSocket; tcp: Socket }> {
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tcp = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [stream] = (await once(server, 'connection')) as [Socket];
  server.close();
  const headers = { upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13' };
  const request = { method: 'GET', headers: { ...headers, 'sec-websocket-key': 'x'.repeat(22) + '==' }, url: '/' };
  const ws = await new Promise<WebSocket>((resolve) => {
    sockets.handleUpgrade(request as never, stream, Buffer.alloc(0), resolve);
  });
  ends.push(tcp, stream);
  const socket = wsSocket(ws, undefined, { stream, masks: false, maxBytes: 100_000_000 });
  socket.listen({ onFrame() {}, onViolation() {}, onClose() {} });
  return { socket, tcp };
}

it('a WebSocket tells of parts of frames, both ways', async () => {
  const { socket, tcp } = await open();
  tcp.pause();
  const before = socket.traffic!();
  // the start of a masked frame of 100,000 bytes, and no end
  tcp.write(Buffer.concat([Buffer.from('82ff00000000000186a000000000', 'hex'), Buffer.alloc(20_000)]));
  await until(() => socket.traffic!().read - before.read > 20_000, 'a part has come');
  const bytes = 50_000_000;
  socket.send(Buffer.alloc(bytes), () => {}, 0);
  await until(() => socket.traffic!().waiting > 0, 'more waits than the system takes');
  const full = socket.traffic!();
  expect(full.taken - before.taken + full.waiting).toBeGreaterThanOrEqual(bytes);
  tcp.resume();
  await until(() => socket.traffic!().waiting === 0, 'all was taken');
  expect(socket.traffic!().taken - before.taken).toBeGreaterThanOrEqual(bytes);
});
