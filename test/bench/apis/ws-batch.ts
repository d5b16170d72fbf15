import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { WebSocket, WebSocketServer } from 'ws';
import { ADDRESS, type Api, type ApiClient } from '../api.js';
import { itemPayload } from '../payloads.js';
import { BatchWire, Kind, uint32 } from './batch-wire.js';

/** Messages of a stream that may be on their way, and after how many that were taken the credits go back. */
const CREDITS = 64;
const REFILL = 32;

const NOTHING = Buffer.alloc(0);

interface Stream {
  sent: number;
  readonly count: number;
  credits: number;
}

function serve(socket: WebSocket, first: boolean): void {
  const streams = new Map<number, Stream>();
  const pump = (id: number, stream: Stream): void => {
    for (; stream.credits > 0 && stream.sent < stream.count; stream.credits--) {
      wire.send(id, Kind.Item, itemPayload(stream.sent++));
    }
    if (stream.sent < stream.count) return;
    streams.delete(id);
    wire.send(id, Kind.End, NOTHING);
  };
  const wire = new BatchWire(socket, first, (id, kind, payload) => {
    if (kind === Kind.Request) {
      wire.send(id, Kind.Response, payload);
    } else if (kind === Kind.Open) {
      const stream = { sent: 0, count: payload.readUInt32LE(0), credits: CREDITS };
      streams.set(id, stream);
      pump(id, stream);
    } else {
      // credits of a stream that has sent all it had are of no use
      const stream = streams.get(id);
      if (!stream) return;
      stream.credits += payload.readUInt32LE(0);
      pump(id, stream);
    }
  });
}

interface OpenStream {
  taken: number;
  readonly resolve: (taken: number) => void;
}

/**
 * Things by small numbers that are used again. A Map with as many deletions as insertions would now and then keep what
 * was deleted alive for long, and be half as fast then: a yard-stick should not be.
 */
class Slots<T> {
  private readonly things: (T | undefined)[] = [];
  private readonly free: number[] = [];

  put(thing: T): number {
    const slot = this.free.pop() ?? this.things.length;
    this.things[slot] = thing;
    return slot;
  }

  take(slot: number): T {
    const thing = this.things[slot]!;
    this.things[slot] = undefined;
    this.free.push(slot);
    return thing;
  }
}

class BatchClient implements ApiClient {
  private readonly wire: BatchWire;
  private readonly calls = new Slots<(payload: Uint8Array) => void>();
  private readonly streams = new Map<number, OpenStream>();
  private lastId = 0;

  constructor(socket: WebSocket, first: boolean) {
    this.wire = new BatchWire(socket, first, (id, kind, payload) => {
      if (kind === Kind.Response) {
        this.calls.take(id)(payload);
      } else {
        this.handleStream(id, kind);
      }
    });
  }

  echo(payload: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.wire.send(this.calls.put(resolve), Kind.Request, payload);
    });
  }

  items(count: number): Promise<number> {
    return new Promise((resolve) => {
      const id = this.nextId();
      this.streams.set(id, { taken: 0, resolve });
      this.wire.send(id, Kind.Open, uint32(count));
    });
  }

  private handleStream(id: number, kind: number): void {
    const stream = this.streams.get(id)!;
    if (kind === Kind.End) {
      this.streams.delete(id);
      stream.resolve(stream.taken);
    } else if (++stream.taken % REFILL === 0) {
      this.wire.send(id, Kind.Credit, uint32(REFILL));
    }
  }

  private nextId(): number {
    this.lastId = (this.lastId + 1) >>> 0;
    return this.lastId;
  }
}

function yardstick(first: boolean): Api {
  return {
    async serve({ serverPort, certificate }) {
      const server = certificate ? createHttpsServer(certificate) : createServer();
      new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => serve(socket, first));
      server.listen(serverPort, ADDRESS);
      await once(server, 'listening');
    },

    async connect({ serverPort, certificate }) {
      const url = `${certificate ? 'wss' : 'ws'}://${ADDRESS}:${serverPort}`;
      const socket = new WebSocket(url, { perMessageDeflate: false, ...(certificate && { ca: certificate.cert }) });
      await once(socket, 'open');
      return new BatchClient(socket, first);
    },
  };
}

export const wsBatch = yardstick(false);
export const wsBatchFirst = yardstick(true);
