import { GridError } from '../errors/index.js';
import {
  MAX_FIXED_BYTES,
  METADATA_BYTES,
  metadataSize,
  SUBROUTE_BYTES,
  type Dialect,
  type Metadata,
} from '../wire/index.js';
import type { MuxLimits } from './limits.js';

/** What stands around a payload at most, metadata left out: one byte more than we write, whose op has one, not two. */
export const MESSAGE_OVERHEAD = MAX_FIXED_BYTES + 1;

/** Of `queuedBytes`, what one payload may have at most, and what answers may pass it by. */
export const PAYLOAD_SHARE = 3 / 4;

/** Tells which payloads may be sent: our own caps and what the peer said it accepts (spec §11, `Max`). */
export class PayloadCap {
  /** What the peer accepts beside any metadata. */
  readonly peerCap: number;
  private readonly peerMaxBytes: number;
  private readonly carriesMetadata: boolean;
  private readonly ownCap: number;
  private readonly ownName: string;
  /** For this nothing else has to be looked at. */
  private readonly surely: number;

  constructor({ messageBytes, queuedBytes }: MuxLimits, { peerMaxBytes, extensions }: Dialect) {
    this.carriesMetadata = extensions.has('meta');
    this.peerMaxBytes = peerMaxBytes;
    this.peerCap = peerMaxBytes - MESSAGE_OVERHEAD - (this.carriesMetadata ? METADATA_BYTES : 0);
    const queueable = Math.floor(queuedBytes * PAYLOAD_SHARE);
    this.ownCap = Math.min(messageBytes, queueable);
    this.ownName = messageBytes <= queueable ? 'limits.messageBytes' : 'limits.queuedBytes';
    this.surely = Math.min(this.ownCap, this.peerCap);
  }

  /** The error for a payload that is too large, undefined for one that may go, beside what else its message has. */
  check(payload: Uint8Array | undefined, metadata?: Metadata, subroute?: Uint8Array): GridError | undefined {
    if (payload === undefined || payload.length <= this.surely) return undefined;
    const overhead = MESSAGE_OVERHEAD - (subroute === undefined ? SUBROUTE_BYTES : 0);
    const beside = metadata === undefined || !this.carriesMetadata ? 0 : metadataSize(metadata);
    const peerCap = this.peerMaxBytes - overhead - beside;
    const cap = Math.min(this.ownCap, peerCap);
    if (payload.length <= cap) return undefined;
    const name = cap === this.ownCap ? this.ownName : "the peer's Max";
    const text = `a payload of ${payload.length} bytes is over the ${cap} bytes that ${name} allows`;
    return new GridError('OUT_OF_RANGE', text, { reason: 'limit' });
  }
}
