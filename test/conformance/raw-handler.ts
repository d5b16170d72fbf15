import { CRC, EOF, ERR, op, type MessageParts, type RawMessage } from './raw-codec.js';
import type { RawPeer, Wanted } from './raw-peer.js';

/** What a raw peer as the handler side sends back for a call of the node; counts its own sequence numbers. */
export class RawHandler {
  seq = 0;

  constructor(
    readonly peer: RawPeer,
    readonly opening: RawMessage,
  ) {}

  /** Waits for a call of the node to this handler. */
  static async called(peer: RawPeer, want: Wanted): Promise<RawHandler> {
    return new RawHandler(peer, await peer.next(want));
  }

  get muxId(): bigint {
    return this.opening.muxId;
  }

  post(parts: MessageParts): void {
    this.peer.send({ ...parts, muxId: this.muxId, seq: this.seq });
    this.seq = (this.seq + 1) >>> 0;
  }

  ack(payload: Uint8Array | string = ''): void {
    this.post({ op: op.AckMux, payload });
  }

  item(payload: Uint8Array | string): void {
    this.post({ op: op.MuxServerMsg, payload });
  }

  /** The end, with an error text if there is one, and the goodbye. */
  end(error?: string): void {
    this.post({ op: op.MuxServerMsg, flags: CRC | EOF | (error === undefined ? 0 : ERR), payload: error ?? '' });
    this.peer.send({ op: op.DisconnectClientMux, muxId: this.muxId });
  }

  credit(): void {
    this.post({ op: op.UnblockClMux });
  }

  /** Answers a request. */
  respond(payload: Uint8Array | string, flags = 0): void {
    this.peer.send({ op: op.Response, muxId: this.muxId, seq: this.opening.seq, flags: CRC | EOF | flags, payload });
  }

  next(want: Wanted = {}): Promise<RawMessage> {
    return this.peer.next({ ...want, muxId: this.muxId });
  }
}
