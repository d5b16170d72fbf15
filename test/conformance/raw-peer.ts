// A peer made of a WebSocket and raw-codec.ts: it does only what a test tells it, and judges every byte that arrives.
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import {
  connectRequest,
  connectResponse,
  CRC,
  decode,
  encode,
  EOF,
  op,
  type MessageParts,
  type RawMessage,
  type Widths,
} from './raw-codec.js';
import { array, body, str, uint, type Value } from './raw-msgpack.js';
import { within } from './hang-budget.js';

export const ROUTE = '/minio/grid/v1';

/** What a message must have; fields that are left out do not count. */
export type Wanted = Partial<Omit<RawMessage, 'muxId'>> & { muxId?: number | bigint };

export interface Closing {
  code: number;
  reason: string;
}

/** An upgrade that was answered with an HTTP status. */
export class UpgradeRefused extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
  ) {
    super(`${status}: ${body}`);
  }
}

export interface DialOptions {
  /** Host name that the peer claims. */
  host: string;
  /** In Connect. Default `debug`. */
  token?: string;
  /** In the header; default as `token`, null: no header. */
  headerToken?: string | null;
  headers?: Record<string, string>;
  route?: string;
  /** The connect request's Time, Unix ms. */
  time?: number;
  id?: Buffer;
  /** Names in Ext; undefined: a v1 peer. */
  ext?: readonly string[] | undefined;
  max?: number | undefined;
  /** More keys of the connect request, encoded. */
  more?: [string, Buffer][];
}

/** Keys that offer extensions (§11). */
export function offer(ext: readonly string[] | undefined, max: number | undefined): [string, Buffer][] {
  return [
    ...(ext === undefined ? [] : [['Ext', array(ext.map(str))] as [string, Buffer]]),
    ...(max === undefined ? [] : [['Max', uint(max)] as [string, Buffer]]),
  ];
}

interface Waiter {
  want: Wanted;
  take(message: RawMessage): void;
  fail(error: Error): void;
}

export class RawPeer {
  readonly inbox: RawMessage[] = [];
  /** Every frame received. */
  readonly frames: Buffer[] = [];
  /** What the node did against the spec. */
  readonly faults: Error[] = [];
  /** Connection pings received. */
  readonly pings: RawMessage[] = [];
  /** Answer the connection's pings. */
  pongs = true;
  /** The other side's connect message. */
  hello: { [key: string]: Value } = {};
  readonly closed: Promise<Closing>;
  closing: Closing | undefined;
  #nextMux = 1n;
  readonly #waiters = new Set<Waiter>();
  // next sequence number that the node owes, by role and call
  readonly #owed = new Map<string, number>();

  constructor(
    readonly socket: WebSocket,
    readonly request?: IncomingMessage,
  ) {
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary));
    socket.on('error', () => undefined); // told by close
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.closing = { code, reason: reason.toString('utf8') };
        for (const waiter of [...this.#waiters]) waiter.fail(new Error(`closed with ${code} ${this.closing.reason}`));
        resolve(this.closing);
      });
    });
  }

  /** Upgrades, and no more. */
  static async open(local: string, options: DialOptions): Promise<RawPeer> {
    const token = options.headerToken === undefined ? (options.token ?? 'debug') : options.headerToken;
    const socket = new WebSocket(`${local.replace(/^http/, 'ws')}${options.route ?? ROUTE}`, {
      perMessageDeflate: false,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...options.headers },
    });
    const peer = new RawPeer(socket);
    await within(
      new Promise<void>((resolve, reject) => {
        socket.on('open', resolve);
        socket.on('error', reject);
        socket.on('unexpected-response', (_request, response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          response.on('end', () => reject(new UpgradeRefused(response.statusCode ?? 0, text)));
        });
      }),
      'no upgrade',
    );
    return peer;
  }

  /** Upgrades and connects; the answer is in `hello`, accepted or not. */
  static async dial(local: string, options: DialOptions): Promise<RawPeer> {
    const peer = await RawPeer.open(local, options);
    peer.connect(options);
    const answer = await peer.next({ op: op.ConnectResponse });
    peer.hello = body(answer.payload);
    return peer;
  }

  connect(options: DialOptions): void {
    const payload = connectRequest({
      id: options.id ?? randomBytes(16),
      host: options.host,
      time: options.time,
      token: options.token ?? 'debug',
      more: [...offer(options.ext, options.max), ...(options.more ?? [])],
    });
    this.send({ op: op.Connect, flags: 0, payload });
  }

  /** Answers the Connect of a node that dialed. */
  async accept(
    options: { id?: Buffer; ext?: readonly string[] | undefined; max?: number; refuse?: string } = {},
  ): Promise<this> {
    this.hello = body((await this.next({ op: op.Connect })).payload);
    const payload = connectResponse({
      id: options.id ?? randomBytes(16),
      accepted: options.refuse === undefined,
      reason: options.refuse,
      more: offer(options.ext, options.max),
    });
    this.send({ op: op.ConnectResponse, flags: 0, payload });
    return this;
  }

  send(parts: MessageParts, widths?: Widths): void {
    this.sendFrame(encode(parts, widths));
  }

  sendFrame(frame: Uint8Array): void {
    this.socket.send(frame, { binary: true });
  }

  /** The first message that fits, received already or yet to come; it leaves the inbox. */
  async next(want: Wanted, budgetMs = 30_000): Promise<RawMessage> {
    const index = this.inbox.findIndex((message) => fits(message, want));
    if (index >= 0) return this.inbox.splice(index, 1)[0]!;
    if (this.closing !== undefined)
      throw new Error(`closed with ${this.closing.code} ${this.closing.reason}, no ${show(want)}`);
    let waiter!: Waiter;
    const arrival = new Promise<RawMessage>((resolve, reject) => {
      waiter = { want, take: resolve, fail: reject };
      this.#waiters.add(waiter);
    });
    try {
      return await within(
        arrival,
        () => `no ${show(want)}; inbox: ${this.inbox.map(show).join(' ') || 'empty'}`,
        budgetMs,
      );
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** A muxId of our own that was not used yet. */
  newMux(): bigint {
    return this.#nextMux++;
  }

  /** Sends a request; returns its muxId. */
  ask(handler: number, payload: Uint8Array | string = '', more: Partial<MessageParts> = {}): bigint {
    const muxId = BigInt(more.muxId ?? this.newMux());
    this.send({ op: op.Request, handler, deadlineMs: 60_000, flags: CRC | EOF, payload, ...more, muxId });
    return muxId;
  }

  /** A request and what answers it. */
  async call(
    handler: number,
    payload: Uint8Array | string = '',
    more: Partial<MessageParts> = {},
  ): Promise<RawMessage> {
    return this.next({ muxId: this.ask(handler, payload, more) });
  }

  /**
   * A round trip: what the node answers by protocol to all that was sent before has arrived. Says so by an echo,
   * which the node answers after it has read everything before.
   */
  async settle(): Promise<void> {
    const answer = await this.call(60, 'settle');
    if (answer.op !== op.Response) throw new Error(`no echo: ${show(answer)}`);
  }

  /** Ends the socket; fails if the node did anything against the spec. */
  async close(): Promise<void> {
    this.socket.close(1000);
    await within(this.closed, 'no close');
    this.assertClean();
  }

  assertClean(): void {
    if (this.faults.length > 0) throw this.faults[0]!;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.frames.push(data);
    let messages: RawMessage[] = [];
    try {
      if (!isBinary) throw new Error(`a text frame: ${data.toString('utf8')}`);
      messages = decode(data);
      for (const message of messages) this.#judge(message);
    } catch (error) {
      this.faults.push(error as Error);
    }
    for (const message of messages) this.#deliver(message);
  }

  #deliver(message: RawMessage): void {
    if (message.op === op.Ping && message.muxId === 0n) {
      this.pings.push(message);
      if (this.pongs) this.send({ ...message, op: op.Pong, flags: CRC });
    }
    for (const waiter of this.#waiters) {
      if (!fits(message, waiter.want)) continue;
      this.#waiters.delete(waiter);
      waiter.take(message);
      return;
    }
    if (message.op !== op.Ping || message.muxId !== 0n) this.inbox.push(message);
  }

  // The rules that hold for every message a node sends to an http:// peer: flags of §2, sequence numbers of §6.
  #judge(message: RawMessage): void {
    const bare =
      message.op === op.Connect ||
      message.op === op.ConnectResponse ||
      (message.op === op.Ping && message.muxId === 0n);
    if (bare ? message.flags !== 0 : !(message.flags & CRC)) throw new Error(`base flags: ${show(message)}`);
    switch (message.op) {
      case op.ConnectMux:
      case op.Request:
        return this.#open(`caller ${message.muxId}`, message);
      case op.AckMux:
        return this.#open(`handler ${message.muxId}`, message);
      case op.MuxClientMsg:
      case op.UnblockSrvMux:
        return this.#count(`caller ${message.muxId}`, message);
      case op.Ping:
        return message.muxId === 0n ? undefined : this.#count(`caller ${message.muxId}`, message);
      case op.MuxServerMsg:
      case op.UnblockClMux:
        return this.#count(`handler ${message.muxId}`, message);
    }
  }

  #open(call: string, message: RawMessage): void {
    this.#owed.set(call, 1);
    if (message.seq !== 0) throw new Error(`opens with seq ${message.seq}: ${show(message)}`);
  }

  #count(call: string, message: RawMessage): void {
    const owed = this.#owed.get(call);
    if (owed === undefined) throw new Error(`before its opening: ${show(message)}`);
    this.#owed.set(call, owed + 1);
    if (message.seq !== owed) throw new Error(`seq ${message.seq} in place of ${owed}: ${show(message)}`);
  }
}

function fits(message: RawMessage, want: Wanted): boolean {
  return Object.entries(want).every(([key, value]) => {
    if (key === 'muxId') return message.muxId === BigInt(value as number | bigint);
    if (key === 'payload') return message.payload.equals(value as Buffer);
    return message[key as keyof RawMessage] === value;
  });
}

export function show(message: Wanted): string {
  const name = Object.entries(op).find(([, code]) => code === message.op)?.[0] ?? 'message';
  const { payload, ...rest } = message;
  const text = Object.entries(rest).map(([key, value]) => `${key}=${String(value)}`);
  if (payload !== undefined) text.push(`payload=${JSON.stringify(payload.subarray(0, 60).toString('latin1'))}`);
  return `${name}(${text.join(' ')})`;
}
