export { decodeCapacity, encodeCapacity } from './capacity-body.js';
export { CloseCode } from './close-code.js';
export {
  decodeConnectRequest,
  decodeConnectResponse,
  encodeConnectRequest,
  encodeConnectResponse,
  LEAST_MAX,
  MOST_EXT,
  type Abilities,
  type ConnectRequest,
  type ConnectResponse,
} from './connect-body.js';
export { CRC_BYTES, crcOf } from './crc.js';
export type { DecodeRules } from './decode-rules.js';
export { activeExtensions, EXTENSIONS, type Dialect, type Extension } from './dialect.js';
export { cutSlabs, maskInPlace } from './frame-memory.js';
export { decodeErrorText, encodeErrorText } from './error-text.js';
export { Flag } from './flag.js';
export {
  decodeFrame,
  decodeLone,
  encodeItemHeader,
  encodeMergedHeader,
  ITEM_HEADER_MAX,
  itemHeaderSize,
  MERGED_HEADER_MAX,
} from './frame.js';
export { BufferView, SHARED_BYTES } from './frame-view.js';
export { CONNECTION_MUX_ID, type Message, type Metadata, type MuxId } from './message.js';
export { encodeMessage, headSize, MAX_FIXED_BYTES, maxEncodedSize, trailerSize } from './message-codec.js';
export { LONE_SURROGATE, METADATA_BYTES, metadataSize } from './metadata.js';
export { MsgpackNames } from './msgpack-names.js';
export { readText } from './msgpack-text.js';
export { decodeMuxConnectError, encodeMuxConnectError } from './mux-connect-error.js';
export { FIRST_OP, LAST_OP, Op } from './op.js';
export { decodePing, decodePong, encodePing, encodePong, type PongBody } from './ping-body.js';
export { parseJson } from './safe-json.js';
export { joined, SplitFrame, type Frame } from './split-frame.js';
export { leavesGap, makeSparse } from './sparse-names.js';
export { SUBROUTE_BYTES, subrouteId, subrouteKey } from './subroute.js';
export { closeCodeOf, violation } from './violation.js';
export { unixMs, wireTimeOf, type WireTime } from './wire-time.js';
export { xxh3_64 } from './xxh3.js';
