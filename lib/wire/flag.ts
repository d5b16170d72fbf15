/**
 * Bits of a message's flags (wire spec §2; METADATA and MANY: §11). The only place where these numbers stand, but for
 * assembly/frame.ts.
 */
export const Flag = Object.freeze({
  /** A CRC follows. */
  Crc: 0x01,
  /** No more messages in this direction of the call. */
  Eof: 0x02,
  /** Reserved; a ConnectMux with it is refused. */
  Stateless: 0x04,
  /** The payload is UTF-8 error text. */
  PayloadIsErr: 0x08,
  /** The payload is an empty byte string, not "none". */
  PayloadIsZero: 0x10,
  /** A subroute id follows. */
  Subroute: 0x20,
  /** A metadata map follows; extension `meta`. */
  Metadata: 0x40,
  /** The caller of a Request also takes a stream; extension `upgrade`. */
  Many: 0x80,
} as const);
