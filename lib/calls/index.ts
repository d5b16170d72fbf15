export { currentContext } from './async-context.js';
export { CallContext } from './call-context.js';
export {
  checkTimeoutMs,
  verifyIsMetadata,
  verifyIsOptions,
  type CallOptions,
  type InputSource,
  type ParentCall,
  type StreamOptions,
} from './call-options.js';
export { Caller, type CallerPorts } from './caller.js';
export { bytes, json, text, type Codec } from './codec.js';
export {
  defineRequest,
  defineStream,
  isContract,
  type AnswerOf,
  type Contract,
  type ContractHandler,
  type GivenAnswer,
  type InputMessageOf,
  type NeedsPayload,
  type PayloadArgs,
  type PayloadOf,
  type RequestContract,
  type SendableContract,
  type StreamArgs,
  type StreamContract,
  type TakenInputOf,
  type TakenOf,
} from './contract.js';
export type { GridCall } from './grid-call.js';
export { INTERNAL_TEXT, logText } from './handler-failure.js';
export { HandlerTable } from './handler-table.js';
export { type HandlerFunction, type HandlerKind, type HandlerSpec } from './handler-spec.js';
export { heardReadable, STREAM, type MaybeStream } from './heard-readable.js';
export type { HandlerEnd, HandlerInterceptor, IncomingCall } from './intercept-handler.js';
export {
  addHook,
  verifyInterceptor,
  type AnyCallInterceptor,
  type CallInterceptor,
  type KindInterceptor,
  type OutgoingCall,
} from './intercept.js';
export { msgpack, type MsgpackOptions } from './msgpack.js';
export { shownOption, verifyOptionNames } from './option-names.js';
export { OWN_CONTEXT, type OwnContext } from './own-context.js';
export {
  joinSubroute,
  normalisedPattern,
  resolvePattern,
  type Pattern,
  type PatternObject,
  type Route,
  type RoutePattern,
} from './pattern.js';
export { isAsyncIterable, isReadable, isThenable } from './result-kind.js';
export { checkSignal } from './signal-watch.js';
export type { InputOf, OutputOf, StandardSchema } from './standard-schema.js';
