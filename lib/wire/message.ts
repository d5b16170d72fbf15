import type { Op } from './op.js';

/**
 * A call's number: uint64 on the wire. A plain number up to 2^53-1 (ours always are), a bigint above; never a bigint
 * that would fit a number, so that it can be a Map key.
 */
export type MuxId = number | bigint;

/** The connection itself. */
export const CONNECTION_MUX_ID = 0;

export type Metadata = Readonly<Record<string, string>>;

/** The 7-field unit of the wire with what may follow it (wire spec §2, §11). */
export interface Message {
  readonly muxId: MuxId;
  /** Sequence number within the call and direction, uint32. */
  readonly seq: number;
  /** Milliseconds left for the call, uint32; 0 = none. */
  readonly deadlineMs: number;
  /** Handler ID, uint8; 0 = none. */
  readonly handler: number;
  readonly op: Op;
  /** `Flag` bits, Crc and Subroute included; they must agree with the fields below. */
  readonly flags: number;
  /**
   * undefined = none; an empty array = an empty byte string (needs `Flag.PayloadIsZero` to survive the wire).
   * Decoded payloads are Buffers, mostly views of their frame: see `decodeFrame` for who owns it.
   */
  readonly payload: Uint8Array | undefined;
  /** The 32 bytes of `subrouteId`, iff `Flag.Subroute`. */
  readonly subroute?: Uint8Array | undefined;
  /** Iff `Flag.Metadata`. */
  readonly metadata?: Metadata | undefined;
  /**
   * Encoded size of `metadata` as it was received; past `METADATA_BYTES` its entries are not kept, and the call is to
   * be refused. Ignored by `encodeMessage`.
   */
  readonly metadataBytes?: number | undefined;
}

/** Every received message: all of them are of one shape. */
export class ReceivedMessage implements Message {
  constructor(
    readonly muxId: MuxId,
    readonly seq: number,
    readonly deadlineMs: number,
    readonly handler: number,
    readonly op: Op,
    readonly flags: number,
    readonly payload: Buffer | undefined,
    readonly subroute: Buffer | undefined,
    readonly metadata: Metadata | undefined,
    readonly metadataBytes: number | undefined,
  ) {}
}
