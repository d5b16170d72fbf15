import { inspect } from 'node:util';
import type { WebSocket } from 'ws';
import { CloseCode, type Frame } from '../wire/index.js';
import type { FrameListener, FrameSocket, Traffic } from './message-socket.js';
import { WsBypass } from './ws-bypass.js';
import { isTls, writeFrame, type WsStream } from './ws-frame.js';
import { WS_HEADER_MAX } from './ws-header.js';

/** The longest reason that fits a close frame. */
const MAX_REASON_BYTES = 123;

/** Errors of `ws` about what the peer sent start so; anything else is a fault of the network, and 'close' follows. */
const VIOLATION = 'WS_ERR_';

/** Close codes for the violations that have one of their own; the others are protocol errors. */
const CODES: ReadonlyMap<string, number> = new Map([
  ['WS_ERR_INVALID_UTF8', CloseCode.InvalidText],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', CloseCode.Policy],
  ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', CloseCode.TooBig],
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', CloseCode.TooBig],
]);

/** A socket of Node's. What it has not written yet Node's own time-outs look at in the same place. */
interface NodeSocket {
  readonly bytesRead?: number;
  readonly _handle?: NodeHandle | null;
}

interface NodeHandle {
  /** With those that wait. */
  readonly bytesWritten?: number;
  /** Bytes that the system has not taken. */
  readonly writeQueueSize?: number;
  readonly _parent?: NodeHandle | null;
}

/** Where the words of `ws` do not say which cap it was. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'a frame is larger than limits.frameBytes'],
]);

/**
 * A WebSocket of the `ws` package as a message socket. It must be open, with compression off and `maxPayload` set to
 * `limits.frameBytes`. Nothing is read from it before `listen`. Never throws.
 * @param remoteAddress for logs; `ws` itself does not tell it.
 * @param below what it writes to and reads from, if known: then binary frames go past `ws`, without its copies. To be
 * given in the turn in which the WebSocket opens, before anything was read.
 */
export function wsSocket(ws: WebSocket, remoteAddress?: string, below?: WsStream): FrameSocket {
  return new WsSocket(ws, remoteAddress, below);
}

class WsSocket implements FrameSocket {
  /** Node writes TLS once in a turn of the event loop: a frame, then in one piece what was given to it meanwhile. */
  readonly oneAtATime: boolean;
  private listener: FrameListener | undefined = undefined;
  /** What happened before anybody listened. */
  private early: ((listener: FrameListener) => void)[] = [];
  /** Writes that failed while the WebSocket was being closed. */
  private failures: (() => void)[] = [];
  private readonly bypass: WsBypass | undefined;
  /** What the system or TLS calls the end of what is below, where that broke: `ws` keeps it to itself. */
  private fault = '';

  constructor(
    private readonly ws: WebSocket,
    readonly remoteAddress: string | undefined,
    private readonly below: WsStream | undefined,
  ) {
    this.oneAtATime = below !== undefined && isTls(below);
    ws.binaryType = 'nodebuffer';
    ws.pause();
    ws.on('message', (data, isBinary) => {
      if (isBinary) this.onFrame(data as Buffer);
      else this.tell((listener) => listener.onViolation(CloseCode.Protocol, 'a text frame'));
    });
    ws.on('error', (error: NodeJS.ErrnoException) => {
      const { code = '', message } = error;
      if (!code.startsWith(VIOLATION)) return;
      const reason = REASONS.get(code) ?? message;
      this.tell((listener) => listener.onViolation(CODES.get(code) ?? CloseCode.Protocol, reason));
    });
    below?.stream.once('error', ({ code = '' }: NodeJS.ErrnoException) => (this.fault = code));
    ws.on('close', (code, reason) => {
      const why = code === CloseCode.Abnormal ? this.fault : reason.toString();
      this.tell((listener) => listener.onClose(code, why));
      for (const fail of this.failures.splice(0)) fail();
    });
    this.bypass = below && WsBypass.of(below, this.onFrame);
    if (ws.readyState === ws.CLOSED) this.early.push((listener) => listener.onClose(CloseCode.Abnormal, ''));
  }

  listen(listener: FrameListener): void {
    this.listener = listener;
    for (const event of this.early.splice(0)) event(listener);
    this.ws.resume();
    this.bypass?.begin();
  }

  send(frame: Uint8Array, done: (error?: Error) => void, room = 0): void {
    const { ws, below } = this;
    if (below && room >= WS_HEADER_MAX && ws.readyState === ws.OPEN) writeFrame(below, frame, done, this.failed);
    else ws.send(frame, { binary: true }, (error) => (error ? this.failed(done, error) : done()));
  }

  get closing(): boolean {
    return this.ws.readyState === this.ws.CLOSING;
  }

  traffic(): Traffic {
    const stream = this.below?.stream as NodeSocket | undefined;
    const handle = stream?._handle;
    // of TLS it is the socket below that knows
    const { bytesWritten = 0, writeQueueSize: waiting = 0 } = handle?._parent ?? handle ?? {};
    return { read: stream?.bytesRead ?? 0, taken: bytesWritten - waiting, waiting };
  }

  close(code: number, reason: string): void {
    this.ws.resume();
    this.ws.close(code, cut(reason));
  }

  terminate(): void {
    this.ws.terminate();
  }

  /** Below it are TLS keys and the headers of its request, and calls lead to it: not for who prints them. */
  [inspect.custom](): string {
    return `WsSocket { ${this.remoteAddress ?? 'address unknown'} }`;
  }

  toJSON(): object {
    return { remoteAddress: this.remoteAddress };
  }

  private readonly onFrame = (frame: Frame): void => {
    const { listener } = this;
    if (listener) listener.onFrame(frame);
    else this.early.push((later) => later.onFrame(frame));
  };

  /**
   * Where the other end has said goodbye, 'close' comes next and knows its code and reason: a dialer sees by it that
   * another process has its place. The failure of a write would come before it, and end the connection as broken.
   */
  private readonly failed = (done: (error: Error) => void, error: Error): void => {
    if (this.closing) this.failures.push(() => done(error));
    else done(error);
  };

  private tell(event: (listener: FrameListener) => void): void {
    if (this.listener) event(this.listener);
    else this.early.push(event);
  }
}

/** A reason that fits, cut at a character's border. */
function cut(reason: string): Buffer {
  const bytes = Buffer.alloc(MAX_REASON_BYTES);
  const { written } = new TextEncoder().encodeInto(reason, bytes);
  return bytes.subarray(0, written);
}
