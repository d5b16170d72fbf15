import type { WebSocket } from 'ws';

/** What a message of the yard-stick is. */
export const Kind = { Request: 0, Response: 1, Open: 2, Item: 3, End: 4, Credit: 5 } as const;

/** Called for each message of a frame; `payload` is a view of it. */
export type OnMessage = (id: number, kind: number, payload: Buffer) => void;

const HEADER_BYTES = 9;
const FRAME_MESSAGES = 50;
const FRAME_BYTES = 32 * 1024;

/**
 * Messages of a 9-byte header (id, kind, length) in frames of at most 50 of them or 32 KB. They leave at the end of the
 * turn; with `first` the first one of a turn leaves at once. Nothing else: no limits, no deadlines, no errors.
 */
export class BatchWire {
  private readonly ids: number[] = [];
  private readonly kinds: number[] = [];
  private readonly payloads: Uint8Array[] = [];
  private bytes = 0;
  private turn: NodeJS.Immediate | undefined;

  constructor(
    private readonly socket: WebSocket,
    private readonly first: boolean,
    onMessage: OnMessage,
  ) {
    socket.binaryType = 'nodebuffer';
    socket.on('message', (frame: Buffer) => {
      for (let at = 0; at < frame.length; ) {
        const start = at + HEADER_BYTES;
        const end = start + frame.readUInt32LE(at + 5);
        onMessage(frame.readUInt32LE(at), frame[at + 4]!, frame.subarray(start, end));
        at = end;
      }
    });
  }

  send(id: number, kind: number, payload: Uint8Array): void {
    const size = HEADER_BYTES + payload.length;
    if (this.ids.length === FRAME_MESSAGES || (this.bytes > 0 && this.bytes + size > FRAME_BYTES)) this.flush();
    this.ids.push(id);
    this.kinds.push(kind);
    this.payloads.push(payload);
    this.bytes += size;
    if (this.turn !== undefined) return;
    this.turn = setImmediate(() => {
      this.turn = undefined;
      this.flush();
    });
    if (this.first) this.flush();
  }

  private flush(): void {
    if (this.bytes === 0) return;
    const frame = Buffer.allocUnsafe(this.bytes);
    let at = 0;
    for (let index = 0; index < this.ids.length; index++) {
      const payload = this.payloads[index]!;
      frame.writeUInt32LE(this.ids[index]!, at);
      frame[at + 4] = this.kinds[index]!;
      frame.writeUInt32LE(payload.length, at + 5);
      frame.set(payload, at + HEADER_BYTES);
      at += HEADER_BYTES + payload.length;
    }
    this.ids.length = 0;
    this.kinds.length = 0;
    this.payloads.length = 0;
    this.bytes = 0;
    this.socket.send(frame);
  }
}

/** A number as a payload. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
