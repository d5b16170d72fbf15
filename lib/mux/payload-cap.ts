import { GridError } from '../errors/index.js';
import { METADATA_BYTES, type Dialect } from '../wire/index.js';

/** Greatest bytes that a message needs beside its payload: 7 fields, bin header, subroute id, CRC (spec §2). */
export const MESSAGE_OVERHEAD = 1 + 9 + 5 + 5 + 2 + 2 + 2 + 5 + 32 + 4;

/** Tells which payloads may be sent: our own cap and what the peer said it accepts (spec §11, `Max`). */
export class PayloadCap {
  private readonly cap: number;
  private readonly name: string;

  constructor(messageBytes: number, { peerMaxBytes, extensions }: Dialect) {
    const overhead = MESSAGE_OVERHEAD + (extensions.has('meta') ? METADATA_BYTES : 0);
    const peerCap = peerMaxBytes - overhead;
    this.cap = Math.min(messageBytes, peerCap);
    this.name = peerCap < messageBytes ? "the peer's Max" : 'limits.messageBytes';
  }

  /** The error for a payload that is too large, undefined for one that may go. */
  check(payload: Uint8Array | undefined): GridError | undefined {
    if (payload === undefined || payload.length <= this.cap) return undefined;
    const text = `a payload of ${payload.length} bytes is over the ${this.cap} bytes that ${this.name} allows`;
    return new GridError('OUT_OF_RANGE', text, { reason: 'limit' });
  }
}
