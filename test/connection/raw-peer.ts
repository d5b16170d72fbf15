import type { FrameListener, FrameSocket } from '../../lib/connection/index.js';
import { decodeFrame, encodeMessage, EXTENSIONS, maxEncodedSize, type Message, type Op } from '../../lib/wire/index.js';

const RULES = { extensions: new Set(EXTENSIONS), messageBytes: 16 * 1024 * 1024, frameMessages: 100_000 };

/** A message with only what matters to a test. */
export function message(op: Op, fields: Partial<Message> = {}): Message {
  return { muxId: 0, seq: 0, deadlineMs: 0, handler: 0, flags: 0, payload: undefined, ...fields, op };
}

export function frameOf(message: Message): Uint8Array {
  const room = new Uint8Array(maxEncodedSize(message));
  return room.subarray(0, encodeMessage(message, room, 0));
}

export function messagesOf(frame: Uint8Array): Message[] {
  return decodeFrame(frame, RULES);
}

/** The other end of a socket, played by the test message by message. */
export class RawPeer implements FrameListener {
  readonly frames: Uint8Array[] = [];
  /** Close code and reason, once the socket is closed. */
  closed: readonly [number, string] | undefined;

  constructor(readonly socket: FrameSocket) {
    socket.listen(this);
  }

  get messages(): Message[] {
    return this.frames.flatMap(messagesOf);
  }

  send(op: Op, fields: Partial<Message> = {}): void {
    this.sendBytes(frameOf(message(op, fields)));
  }

  sendBytes(frame: Uint8Array): void {
    // on a socket that is over: how it ended is what a test looks at
    this.socket.send(frame, () => undefined);
  }

  onFrame(frame: Uint8Array): void {
    this.frames.push(frame);
  }

  onViolation(): void {}

  onClose(code: number, reason: string): void {
    this.closed = [code, reason];
  }
}
