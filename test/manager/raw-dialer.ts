import { Buffer } from 'node:buffer';
import { request as httpRequest } from 'node:http';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';
import {
  decodeConnectResponse,
  decodeFrame,
  encodeConnectRequest,
  encodeMessage,
  maxEncodedSize,
  Op,
  wireTimeOf,
  type ConnectRequest,
  type ConnectResponse,
} from '../../lib/wire/index.js';

/** What a stranger gets for an upgrade request. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** A peer that knows only bytes: it may say what no grid says. */
export class RawDialer {
  private constructor(readonly ws: WebSocket) {}

  static async open(origin: string, token: string, options: ClientOptions = {}): Promise<RawDialer> {
    const ws = RawDialer.dial(origin, token, options);
    await once(ws, 'open');
    return new RawDialer(ws);
  }

  /** How the upgrade request is refused. */
  static async refused(origin: string, token: string, options: ClientOptions = {}): Promise<HttpAnswer> {
    const ws = RawDialer.dial(origin, token, options);
    return await new Promise((resolve, reject) => {
      // `terminate()` below gives one too, when all is settled
      ws.on('error', reject);
      ws.once('open', () => reject(new Error('the upgrade was not refused')));
      ws.once('unexpected-response', (_request, response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
          ws.terminate();
        });
      });
    });
  }

  private static dial(origin: string, token: string, options: ClientOptions): WebSocket {
    const headers = { ...(token !== '' && { authorization: `Bearer ${token}` }), ...options.headers };
    return new WebSocket(`${origin.replace('http', 'ws')}/grid/v1`, { perMessageDeflate: false, ...options, headers });
  }

  /** Sends a Connect and gives the answer. */
  async connect(host: string, token: string, change: Partial<ConnectRequest> = {}): Promise<ConnectResponse> {
    const body = encodeConnectRequest({ id: randomBytes(16), host, time: wireTimeOf(Date.now()), token, ...change });
    this.ws.send(frameOf(Op.Connect, body));
    const [data] = (await once(this.ws, 'message')) as [Buffer];
    const [message] = decodeFrame(data, { extensions: new Set(), messageBytes: 1e6, frameMessages: 1 });
    return decodeConnectResponse(message!.payload);
  }

  /** The close code and the reason. */
  async closed(): Promise<[number, string]> {
    if (this.ws.readyState === this.ws.CLOSED) throw new Error('closed before anybody asked');
    const [code, reason] = (await once(this.ws, 'close')) as [number, Buffer];
    return [code, reason.toString()];
  }
}

export function frameOf(op: Op, payload: Uint8Array | undefined, muxId = 0): Uint8Array {
  const message = { muxId, seq: 0, deadlineMs: 0, handler: 0, op, flags: 0, payload };
  const room = new Uint8Array(maxEncodedSize(message));
  return room.subarray(0, encodeMessage(message, room, 0));
}

/** A plain request with the headers, and its answer. `path`: the target as it is sent, in whatever form. */
export function get(origin: string, path: string, headers: Record<string, string>, body?: string): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(origin, {
      path,
      headers,
      method: body === undefined ? 'GET' : 'POST',
      agent: false,
    });
    request.on('error', reject);
    request.on('upgrade', () => reject(new Error('the connection was upgraded')));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    request.end(body);
  });
}
