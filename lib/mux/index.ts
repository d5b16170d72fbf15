export type { CallInit, StreamInit } from './call-init.js';
export { CallerStream } from './caller-stream.js';
export { CLEAN_END, type End } from './end.js';
export { GRID_ERROR_KEY } from './error-metadata.js';
export type { CallHandler, HandlerDirectory } from './handler.js';
export { Fifo } from './fifo.js';
export { ITEM_BYTES, unshared, type HeldBytes } from './held-bytes.js';
export { HandlerStream } from './handler-stream.js';
export { Inbound } from './inbound.js';
export { IncomingRequest } from './incoming-request.js';
export type { MuxIntervals, MuxLimits } from './limits.js';
export { Mux } from './mux.js';
export { Outbound } from './outbound.js';
export type { Outbox } from './outbox.js';
export {
  encodeApart,
  encodeToKeep,
  intoOf,
  withInto,
  type EncodeInto,
  type PayloadEncoder,
} from './payload-encoder.js';
export { OutgoingRequest, type RequestListener } from './outgoing-request.js';
export { MESSAGE_OVERHEAD, PAYLOAD_SHARE } from './payload-cap.js';
export { PeerLoad } from './peer-load.js';
