import { inspect } from 'node:util';
import type { WebSocket } from 'ws';
import { CloseCode } from './close-code.js';
import { WS_HEADER_MAX, writeFrame, type FrameSink } from './ws-frame.js';
import type { MessageSocket, MessageSocketListener } from './message-socket.js';

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

/** Where the words of `ws` do not say which cap it was. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'a frame is larger than limits.frameBytes'],
]);

/**
 * A WebSocket of the `ws` package as a message socket. It must be open, with compression off and `maxPayload` set to
 * `limits.frameBytes`. Nothing is read from it before `listen`. Never throws.
 * @param remoteAddress for logs; `ws` itself does not tell it.
 * @param sink where it writes to, if known: then most frames go there by themselves, without a copy.
 */
export function wsSocket(ws: WebSocket, remoteAddress?: string, sink?: FrameSink): MessageSocket {
  return new WsSocket(ws, remoteAddress, sink);
}

class WsSocket implements MessageSocket {
  private listener: MessageSocketListener | undefined;
  /** What happened before anybody listened. */
  private early: ((listener: MessageSocketListener) => void)[] = [];

  constructor(
    private readonly ws: WebSocket,
    readonly remoteAddress: string | undefined,
    private readonly sink: FrameSink | undefined,
  ) {
    ws.binaryType = 'nodebuffer';
    ws.pause();
    ws.on('message', (data, isBinary) => {
      if (isBinary) this.tell((listener) => listener.onFrame(data as Buffer));
      else this.tell((listener) => listener.onViolation(CloseCode.Protocol, 'a text frame'));
    });
    ws.on('error', (error: NodeJS.ErrnoException) => {
      const { code = '', message } = error;
      if (!code.startsWith(VIOLATION)) return;
      const reason = REASONS.get(code) ?? message;
      this.tell((listener) => listener.onViolation(CODES.get(code) ?? CloseCode.Protocol, reason));
    });
    ws.on('close', (code, reason) => this.tell((listener) => listener.onClose(code, reason.toString())));
    if (ws.readyState === ws.CLOSED) this.early.push((listener) => listener.onClose(CloseCode.Abnormal, ''));
  }

  listen(listener: MessageSocketListener): void {
    this.listener = listener;
    for (const event of this.early.splice(0)) event(listener);
    this.ws.resume();
  }

  send(frame: Uint8Array, done: (error?: Error) => void, room = 0): void {
    const { ws, sink } = this;
    const isOwn = sink !== undefined && room >= WS_HEADER_MAX && ws.readyState === ws.OPEN;
    if (isOwn && writeFrame(sink, frame, done)) return;
    ws.send(frame, { binary: true }, done);
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

  private tell(event: (listener: MessageSocketListener) => void): void {
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
