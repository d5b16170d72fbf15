// A WebSocket made by hand on a TCP socket: it says what no library lets one say.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { turn } from '../turn.js';

export interface Closing {
  code: number;
  reason: string;
}

export interface OpenOptions {
  route: string;
  headers?: Record<string, string>;
  /** Where the connection comes from; all of 127.0.0.0/8 is this machine. */
  localAddress?: string | undefined;
}

/** An upgrade request as a host of the grid sends it. */
export function upgradeRequest(origin: string, { route, headers = {} }: OpenOptions): string {
  const lines = [
    `GET ${route} HTTP/1.1`,
    `Host: ${new URL(origin).host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A plain TCP connection; what becomes of it is told by 'close'. */
export async function dialTcp(origin: string, localAddress?: string): Promise<Socket> {
  const { hostname, port } = new URL(origin);
  const socket = connect({ port: Number(port), host: hostname, ...(localAddress && { localAddress }) });
  socket.setNoDelay(true);
  await once(socket, 'connect');
  socket.on('error', () => undefined); // 'close' follows
  return socket;
}

/** The head of a client's frame with a mask of zeros, which leaves the payload as it is. */
export function frameHead(length: number | bigint, { opcode = 2, fin = true } = {}): Buffer {
  const first = (fin ? 0x80 : 0) | opcode;
  if (length < 126) return Buffer.from([first, 0x80 | Number(length), 0, 0, 0, 0]);
  if (length < 65_536) {
    const head = Buffer.from([first, 0x80 | 126, 0, 0, 0, 0, 0, 0]);
    head.writeUInt16BE(Number(length), 2);
    return head;
  }
  const head = Buffer.alloc(14);
  head.set([first, 0x80 | 127]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

export function frame(payload: Uint8Array): Buffer {
  return Buffer.concat([frameHead(payload.length), payload]);
}

export class RawWebSocket {
  /** Each whole binary message of the other end. */
  onFrame: (payload: Buffer) => void = () => {};
  /** The head of the answer to the upgrade. */
  answer = '';
  /** What the close frame said; undefined: there was none. */
  closing: Closing | undefined;
  /** Resolves when the TCP connection is over. */
  readonly closed: Promise<Closing | undefined>;
  private rest: Buffer = Buffer.alloc(0);
  private over = false;

  private constructor(readonly socket: Socket) {
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.over = true;
        resolve(this.closing);
      });
    });
  }

  /** Upgrades, and no more. Fails with the status line where it is refused. */
  static async open(origin: string, options: OpenOptions): Promise<RawWebSocket> {
    const socket = await dialTcp(origin, options.localAddress);
    const ws = new RawWebSocket(socket);
    socket.write(upgradeRequest(origin, options));
    let answer = Buffer.alloc(0);
    await new Promise<void>((resolve, reject) => {
      const onData = (chunk: Buffer): void => {
        answer = Buffer.concat([answer, chunk]);
        const end = answer.indexOf('\r\n\r\n');
        if (end < 0) return;
        socket.off('data', onData);
        ws.answer = answer.toString('latin1', 0, end);
        const [status = ''] = ws.answer.split('\r\n', 1);
        if (!status.includes(' 101 ')) reject(new Error(status));
        else {
          ws.read(answer.subarray(end + 4));
          resolve();
        }
      };
      socket.on('data', onData);
      socket.once('close', () => reject(new Error('closed without an answer')));
    });
    socket.on('data', (chunk: Buffer) => ws.read(chunk));
    return ws;
  }

  get ended(): boolean {
    return this.over || this.closing !== undefined;
  }

  /** Writes bytes as they are; resolves when there is room for more, false once the other end has had enough. */
  async write(bytes: Uint8Array): Promise<boolean> {
    if (this.ended) return false;
    if (!this.socket.write(bytes)) {
      let drained = (): void => {};
      const room = new Promise<void>((resolve) => this.socket.once('drain', (drained = resolve)));
      await Promise.race([room, this.closed]);
      this.socket.off('drain', drained);
    } else {
      // so that what comes back is read too
      await turn();
    }
    return !this.ended;
  }

  destroy(): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    let at = 0;
    const all = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (;;) {
      if (all.length - at < 2) break;
      let length = all[at + 1]! & 0x7f;
      let head = 2;
      if (length === 126) {
        if (all.length - at < 4) break;
        length = all.readUInt16BE(at + 2);
        head = 4;
      } else if (length === 127) {
        if (all.length - at < 10) break;
        length = Number(all.readBigUInt64BE(at + 2));
        head = 10;
      }
      if (all.length - at < head + length) break;
      const payload = all.subarray(at + head, at + head + length);
      const opcode = all[at]! & 0x0f;
      at += head + length;
      if (opcode === 2) this.onFrame(payload);
      else if (opcode === 8) {
        this.closing = {
          code: payload.length >= 2 ? payload.readUInt16BE(0) : 1005,
          reason: payload.subarray(2).toString(),
        };
        // the answer that the protocol wants; what is under way is dropped
        this.socket.end(Buffer.concat([frameHead(payload.length, { opcode: 8 }), payload]));
      }
    }
    this.rest = all.subarray(at);
  }
}
