export type { GridLogger } from './logger.js';
export {
  silentObserver,
  type BlockedStream,
  type CallDirection,
  type CallKind,
  type ConnectionObserver,
  type DropKind,
  type MuxObserver,
  type StreamFlow,
} from './observer.js';
