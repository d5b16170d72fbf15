export type { GridLogger } from './logger.js';
export {
  silentCalls,
  silentObserver,
  type BlockedStream,
  type CallDirection,
  type CallKind,
  type CallObserver,
  type ConnectionObserver,
  type DropKind,
  type MuxObserver,
  type StreamFlow,
} from './observer.js';
