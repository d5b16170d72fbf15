import type { GridError } from '../errors/index.js';
import type { CallKind, MuxObserver, StreamFlow } from '../observe/index.js';
import type { Clock, DeadlineWheel, Rota } from '../time/index.js';
import type { Dialect, Message, MuxId, Op } from '../wire/index.js';
import type { BlockWatch } from './block-watch.js';
import type { CancelLine } from './cancel-line.js';
import type { CapacityBodies } from './capacity-bodies.js';
import type { Emitter } from './emitter.js';
import type { HeldBytes } from './held-bytes.js';
import type { HandlerStream } from './handler-stream.js';
import type { Inbound } from './inbound.js';
import type { CallerStream } from './caller-stream.js';
import type { MuxIntervals, MuxLimits } from './limits.js';
import type { PayloadCap } from './payload-cap.js';

/** What every call of a mux is handed: never the mux itself. */
export interface CallPorts {
  readonly emitter: Emitter;
  readonly clock: Clock;
  readonly observer: MuxObserver;
  readonly limits: MuxLimits;
  readonly intervals: MuxIntervals;
  readonly dialect: Dialect;
  readonly payloadCap: PayloadCap;
  /** When calls end that have a deadline, ours and the peer's. */
  readonly deadlines: DeadlineWheel;
  /** Streams, ours and the peer's, that are looked at now and then: whether both of their directions are blocked. */
  readonly blockWatches: Rota<BlockWatch>;
  /** What streams receive, ours and the peer's, where credits wait to be given back together. */
  readonly owing: Rota<Inbound>;
}

/** What a call of ours asks its mux. */
export interface OutgoingPorts extends CallPorts {
  /** Both ends have the extension `upgrade`. */
  readonly upgrades: boolean;
  /** Streams of ours that are pinged. */
  readonly pings: Rota<CallerStream>;
  /** Messages of all our streams that are not read. */
  readonly unread: HeldBytes;
  /** Where calls are cancelled: requests only towards a peer that knows it. */
  readonly cancels: CancelLine;
  /** The stream that a request became takes its place. */
  replace(muxId: MuxId, call: OutgoingCall): void;
  /** The call is over. */
  release(muxId: MuxId): void;
}

/** What a call of the peer asks its mux. */
export interface IncomingPorts extends CallPorts {
  /** Streams of the peer that must be pinged by it. */
  readonly silence: Rota<HandlerStream>;
  readonly capacities: CapacityBodies;
  /** The peer tells when it wants the answer to a request no more (extension `cancel`). */
  readonly cancels: boolean;
  /** Payloads and metadata of the peer's calls, and their unread input. */
  readonly held: HeldBytes;
  /** Messages to the peer that wait for its credits. */
  readonly unsent: HeldBytes;
  /** The stream that a request became takes its place. */
  replace(muxId: MuxId, call: IncomingCall): void;
  /** The call is over on the wire; its muxId is free. */
  release(muxId: MuxId, call: IncomingCall): void;
  /** Why no further stream may run now, undefined while one may. */
  refuseStream(): GridError | undefined;
  handlerStarted(kind: CallKind): void;
  /** The handler has really ended, maybe long after the call. */
  handlerEnded(kind: CallKind): void;
  /** The handler of a stream has ended and the stream is over on the wire: the end of one may wait for a credit. */
  streamGone(): void;
}

/** A call of ours, as the mux's table knows it. */
export interface OutgoingCall {
  /** Of a stream. @internal */
  readonly flow?: StreamFlow;
  /** A message for it, of one of the ops that go to a caller, and when it came. @internal */
  receive(message: Message, cameAt: number): void;
  /** The connection has ended: nothing can be sent. @internal */
  drop(error: GridError): void;
}

/** A call of the peer, as the mux's table knows it. */
export interface IncomingCall {
  readonly openedAt: number;
  /** Undefined: the caller gave none. */
  readonly deadlineAt: number | undefined;
  /** Of a stream. @internal */
  readonly flow?: StreamFlow;
  /** False: a message of this op is answered as for an unknown call (spec §11, `upgrade`). @internal */
  takes(op: Op): boolean;
  /** A message for it, of one of the ops that it takes. @internal */
  receive(message: Message): void;
  /** The connection has ended: nothing can be sent. @internal */
  drop(error: GridError): void;
}
