import { CRC, EOF, ERR, op, type MessageParts, type RawMessage } from './raw-codec.js';
import type { RawPeer, Wanted } from './raw-peer.js';

/** A call that the raw peer opened as the caller of a stream: counts its own sequence numbers. */
export class RawStream {
  readonly muxId: bigint;
  seq = 0;

  private constructor(
    readonly peer: RawPeer,
    muxId: bigint,
  ) {
    this.muxId = muxId;
  }

  /** Sends ConnectMux; with `input` the direction to the handler stays open. */
  static open(
    peer: RawPeer,
    handler: number,
    payload: Uint8Array | string = '',
    options: { input?: boolean; deadlineMs?: number; flags?: number; subroute?: Buffer; muxId?: bigint } = {},
  ): RawStream {
    const stream = new RawStream(peer, options.muxId ?? peer.newMux());
    stream.post({
      op: op.ConnectMux,
      handler,
      payload,
      deadlineMs: options.deadlineMs ?? 0,
      flags: CRC | (options.input ? 0 : EOF) | (options.flags ?? 0),
      subroute: options.subroute,
    });
    return stream;
  }

  /** As open, and the AckMux has come. */
  static async opened(...args: Parameters<typeof RawStream.open>): Promise<RawStream> {
    const stream = RawStream.open(...args);
    await stream.next({ op: op.AckMux, seq: 0 });
    return stream;
  }

  /** Sends a counted message of this call. */
  post(parts: MessageParts): void {
    this.peer.send({ ...parts, muxId: this.muxId, seq: this.seq });
    this.seq = (this.seq + 1) >>> 0;
  }

  write(payload: Uint8Array | string): void {
    this.post({ op: op.MuxClientMsg, payload });
  }

  end(): void {
    this.post({ op: op.MuxClientMsg, flags: CRC | EOF });
  }

  credit(): void {
    this.post({ op: op.UnblockSrvMux });
  }

  cancel(): void {
    this.peer.send({ op: op.DisconnectServerMux, muxId: this.muxId, seq: this.seq });
  }

  next(want: Wanted = {}): Promise<RawMessage> {
    return this.peer.next({ ...want, muxId: this.muxId });
  }

  /** The next item; its credit goes back. */
  async item(): Promise<RawMessage> {
    const message = await this.next({ op: op.MuxServerMsg });
    if (!(message.flags & EOF)) this.credit();
    return message;
  }

  /** Items as text until the end; `error` is the text of an error end. */
  async drain(): Promise<{ items: string[]; error: string | undefined }> {
    const items: string[] = [];
    for (;;) {
      const message = await this.item();
      const text = message.payload.toString('utf8');
      if (message.flags & EOF) {
        await this.next({ op: op.DisconnectClientMux });
        return { items, error: message.flags & ERR ? text : undefined };
      }
      items.push(text);
    }
  }
}
