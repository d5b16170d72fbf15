import {
  CONGESTED,
  EVENTS_ONLY,
  framelessError,
  REQUESTS_ONLY,
  TEXT,
  toGridError,
  type GridError,
} from '../errors/index.js';
import type { CallKind, StreamFlow } from '../observe/index.js';
import { Rota } from '../time/index.js';
import { Flag, Op, subrouteKey, violation, type Message } from '../wire/index.js';
import type { CallPorts, IncomingCall, IncomingPorts } from './call-ports.js';
import { CallTable } from './call-table.js';
import { CancelRate } from './cancel-rate.js';
import { CapacityBodies } from './capacity-bodies.js';
import { heldBytesOf, unsharedOpening } from './held-bytes.js';
import type { CallHandler, HandlerDirectory } from './handler.js';
import { HandlerStream } from './handler-stream.js';
import { IncomingRequest } from './incoming-request.js';
import { oversizeMetadata } from './metadata-cap.js';
import type { PeerLoad } from './peer-load.js';

/** The calls that the peer made and that are not over, and who handles them. */
export class IncomingCalls {
  private readonly calls: CallTable<IncomingCall>;
  private readonly cancelRate: CancelRate;
  private readonly ports: IncomingPorts;

  /** `accepting` tells why no new calls are taken now, undefined while they are. */
  constructor(
    ports: CallPorts,
    private readonly handlers: HandlerDirectory,
    private readonly accepting: () => GridError | undefined,
    private readonly load: PeerLoad,
  ) {
    const { clock, limits, intervals } = ports;
    this.calls = new CallTable(clock.random());
    this.cancelRate = new CancelRate(clock, limits.cancelsPerSecond);
    this.ports = {
      ...ports,
      silence: new Rota<HandlerStream>(clock, intervals.streamSilenceMs, (stream) => stream.silent()),
      capacities: new CapacityBodies(),
      cancels: ports.dialect.extensions.has('cancel'),
      held: load.held,
      unsent: load.unsent,
      replace: (muxId, call) => this.calls.replace(muxId, call),
      release: (muxId, call) => {
        if (this.calls.get(muxId) === call) this.calls.delete(muxId);
      },
      refuseStream: () => this.overload('stream'),
      handlerStarted: (kind) => load.handlerStarted(kind),
      handlerEnded: (kind) => load.handlerEnded(kind),
      streamGone: () => load.streamGone(),
    };
  }

  get size(): number {
    return this.calls.size;
  }

  /** The open streams. */
  flows(): StreamFlow[] {
    return this.calls.values().map(({ flow }) => flow).filter((flow) => flow !== undefined);
  }

  /** Handlers that have not really ended yet, those of calls that are long over included. */
  get running(): number {
    return this.load.running;
  }

  /** From now on no timer is set: many streams end before `release`. */
  hold(now: number): void {
    this.ports.silence.hold(now);
  }

  release(): void {
    this.ports.silence.release();
  }

  acceptRequest(message: Message, cameAt: number): void {
    const subroute = this.callee(message);
    const handler = this.find(message, subroute);
    if (!handler) return;
    const streamOnly = handler.onRequest === undefined;
    if (streamOnly && !(message.flags & Flag.Many)) {
      this.refuse(message, framelessError('FAILED_PRECONDITION', TEXT.streamsOnly), handler);
      return;
    }
    const refusal = this.overload(streamOnly ? 'stream' : 'request') ?? handler.admit?.();
    if (refusal) {
      this.refuse(message, refusal, handler);
      return;
    }
    const request = new IncomingRequest(this.ports, this.kept(message), subroute, handler, cameAt);
    this.calls.add(message.muxId, request);
    if (handler.onRequest) {
      run(request, handler.onRequest, (error) => request.fail(error));
      request.watchTime();
    } else if (handler.onStream) startStream(request.becomeStream(), handler.onStream);
  }

  acceptStream(message: Message, cameAt: number): void {
    const subroute = this.callee(message);
    if (message.flags & Flag.Stateless) {
      this.refuse(message, framelessError('FAILED_PRECONDITION', TEXT.stateless));
      return;
    }
    const handler = this.find(message, subroute);
    if (!handler) return;
    if (!handler.onStream) {
      // the text is the protocol's; a peer with the extension `error` learns that the handler is there
      const details = handler.isEvent ? EVENTS_ONLY : REQUESTS_ONLY;
      this.refuse(message, unknownHandler(message, subroute).with({ details }), handler);
      return;
    }
    const refusal = this.overload('stream') ?? handler.admit?.();
    if (refusal) {
      this.refuse(message, refusal, handler);
      return;
    }
    const stream = HandlerStream.accept(this.ports, this.kept(message), subroute, handler, cameAt);
    this.calls.add(message.muxId, stream);
    stream.acknowledge();
    if (message.seq === 0) startStream(stream, handler.onStream);
    else stream.refuse(message.seq);
  }

  /** A message for a call of the peer that runs. */
  receive(message: Message): void {
    const { emitter, observer } = this.ports;
    const call = this.calls.get(message.muxId);
    if (call?.takes(message.op)) {
      call.receive(message);
      return;
    }
    // credits that crossed the end of their stream
    if (!call && message.op === Op.UnblockSrvMux) return;
    observer.dropped('unknown-call');
    if (message.op === Op.Ping) {
      emitter.pong(message, true);
    } else if (message.op === Op.MuxClientMsg && !(message.flags & Flag.Eof)) {
      emitter.send(Op.DisconnectClientMux, message.muxId, 0, 0, undefined);
    }
  }

  /** The caller has gone. The error says that it opens and cancels calls faster than it may. */
  cancel(message: Message): GridError | undefined {
    const call = this.calls.get(message.muxId);
    if (call && this.cancelRate.exceededBy(call)) {
      const text = `more than cancelsPerSecond (${this.ports.limits.cancelsPerSecond}) of calls just opened`;
      return framelessError('RESOURCE_EXHAUSTED', text, { reason: 'limit' });
    }
    this.receive(message);
    return undefined;
  }

  /** The connection has ended. */
  drop(error: GridError): void {
    for (const call of this.calls.values()) call.drop(error);
    this.ports.silence.clear();
  }

  /** Checks the muxId of an opening message, and tells its subroute. */
  private callee(message: Message): string | undefined {
    if (this.calls.has(message.muxId)) throw violation(`muxId ${message.muxId} is in use`);
    return message.subroute && subrouteKey(message.subroute);
  }

  /** The handler of an opening message; without one, or while none may start, the call is refused. */
  private find(message: Message, subroute: string | undefined): CallHandler | undefined {
    const { emitter, limits } = this.ports;
    const handler = isRoute(message) ? this.handlers.find(message.handler, subroute) : undefined;
    const refusal =
      this.accepting() ??
      oversizeMetadata(message, limits.metadataBytes) ??
      (handler ? undefined : unknownHandler(message, subroute)) ??
      (emitter.outbox.congested ? congested() : undefined) ??
      this.ports.held.refusal(heldBytesOf(message));
    if (!refusal) return handler;
    this.refuse(message, refusal, handler);
    return undefined;
  }

  /** Where no handler is, nothing is counted: what is asked for may be anything. */
  private refuse(message: Message, error: GridError, handler?: CallHandler): void {
    const { emitter, observer } = this.ports;
    const kind = message.op === Op.Request ? 'request' : 'stream';
    if (handler) observer.callsOf('incoming', kind, message.handler, handler.pattern).refused(error.code);
    emitter.refuse(message, error);
  }

  /** The opening message as its call keeps it. */
  private kept(message: Message): Message {
    return this.load.held.crowded ? unsharedOpening(message) : message;
  }

  /**
   * Handlers count until they have really ended: a caller that cancels makes no room for more of them. Streams count
   * until their end is sent too: one that never gives the credit for it makes no room either.
   */
  private overload(kind: CallKind): GridError | undefined {
    const name = kind === 'request' ? 'runningRequests' : 'openStreams';
    const cap = this.ports.limits[name];
    if ((kind === 'request' ? this.load.requests : this.load.streams) < cap) return undefined;
    return framelessError('RESOURCE_EXHAUSTED', `too many calls: the limit ${name} is ${cap}`, { reason: 'limit' });
  }
}

/** A subroute id begins with the ID of its handler (wire spec §7). */
function isRoute({ handler, subroute }: Message): boolean {
  return handler !== 0 && (subroute === undefined || subroute[0] === handler);
}

/** A handler's entry point that throws fails its one call. */
function run<C>(call: C, entry: (call: C) => void, fail: (error: GridError) => void): void {
  try {
    entry(call);
  } catch (fault) {
    fail(toGridError(fault, 'INTERNAL'));
  }
}

function startStream(stream: HandlerStream, entry: (stream: HandlerStream) => void): void {
  run(stream, entry, (error) => stream.output.fail(error));
  stream.watchTime();
}

function congested(): GridError {
  return framelessError('RESOURCE_EXHAUSTED', CONGESTED, { reason: 'limit' });
}

/** Spec §5 and §7: the ID, or the whole subroute id in hex. */
function unknownHandler(message: Message, subroute: string | undefined): GridError {
  const which = subroute ?? String(message.handler);
  const text = message.handler === 0 ? TEXT.invalidHandler : `${TEXT.invalidHandler} for type: ${which}`;
  return framelessError('UNIMPLEMENTED', text);
}
