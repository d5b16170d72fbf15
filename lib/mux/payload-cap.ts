import { GridError } from '../errors/index.js';
import { MAX_FIXED_BYTES, METADATA_BYTES, type Dialect } from '../wire/index.js';
import type { MuxLimits } from './limits.js';

/**
 * "What may stand around a payload is reserved: 67 bytes" (spec §11). That is one more than what we write, whose op is
 * one byte: it may be of two.
 */
export const MESSAGE_OVERHEAD = MAX_FIXED_BYTES + 1;

/** Of `queuedBytes`, what one payload may have at most, and what answers may pass it by. */
export const PAYLOAD_SHARE = 3 / 4;

/** Tells which payloads may be sent: our own caps and what the peer said it accepts (spec §11, `Max`). */
export class PayloadCap {
  /** What the peer accepts. */
  readonly peerCap: number;
  private readonly cap: number;
  private readonly name: string;

  constructor({ messageBytes, queuedBytes }: MuxLimits, { peerMaxBytes, extensions }: Dialect) {
    const overhead = MESSAGE_OVERHEAD + (extensions.has('meta') ? METADATA_BYTES : 0);
    this.peerCap = peerMaxBytes - overhead;
    const caps = {
      'limits.messageBytes': messageBytes,
      "the peer's Max": this.peerCap,
      'limits.queuedBytes': Math.floor(queuedBytes * PAYLOAD_SHARE),
    };
    const [name, cap] = Object.entries(caps).reduce((least, cap) => (cap[1] < least[1] ? cap : least));
    this.name = name;
    this.cap = cap;
  }

  /** The error for a payload that is too large, undefined for one that may go. */
  check(payload: Uint8Array | undefined): GridError | undefined {
    if (payload === undefined || payload.length <= this.cap) return undefined;
    const text = `a payload of ${payload.length} bytes is over the ${this.cap} bytes that ${this.name} allows`;
    return new GridError('OUT_OF_RANGE', text, { reason: 'limit' });
  }
}
