import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { wsSocket, type FrameSocket } from '../../lib/connection/index.js';
import { socketPair } from '../../lib/testing/socket-pair.js';
import { LIMITS } from './grid-end.js';

/** Two ends of one link, whatever it is made of. */
export interface Link {
  readonly dialer: FrameSocket;
  readonly acceptor: FrameSocket;
  /** Breaks the link without a goodbye. */
  cut(): void;
  /** The acceptor reads nothing any more. */
  stallAcceptor(): void;
  sendTextToAcceptor(): void;
  /** Both ends are closed. */
  readonly closed: boolean;
  /** Ends what the test left open. */
  dispose(): Promise<void>;
}

export interface Wire {
  readonly name: string;
  open(): Promise<Link>;
}

const memory: Wire = {
  name: 'in memory',
  async open() {
    const [dialer, acceptor] = socketPair();
    return {
      dialer,
      acceptor,
      cut: () => dialer.cut(),
      stallAcceptor: () => acceptor.stall(),
      sendTextToAcceptor: () => dialer.sendText(),
      get closed() {
        return dialer.closed && acceptor.closed;
      },
      async dispose() {
        dialer.cut();
      },
    };
  },
};

const loopback: Wire = {
  name: 'over WebSocket',
  async open() {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      maxPayload: LIMITS.frameBytes,
      perMessageDeflate: false,
    });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = new WebSocket(`ws://127.0.0.1:${port}`, { maxPayload: LIMITS.frameBytes, perMessageDeflate: false });
    const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'open')])) as [
      [WebSocket],
      unknown,
    ];
    return {
      dialer: wsSocket(client, '127.0.0.1'),
      acceptor: wsSocket(accepted, '127.0.0.1'),
      cut: () => accepted.terminate(),
      stallAcceptor: () => accepted.pause(),
      sendTextToAcceptor: () => client.send('hello'),
      get closed() {
        return client.readyState === WebSocket.CLOSED && accepted.readyState === WebSocket.CLOSED;
      },
      async dispose() {
        client.terminate();
        accepted.terminate();
        server.close();
        await once(server, 'close');
      },
    };
  },
};

export const WIRES: readonly Wire[] = [memory, loopback];
