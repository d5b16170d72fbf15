import { GridError, TEXT } from '../errors/index.js';
import type { StreamFlow } from '../observe/index.js';
import { Rota } from '../time/index.js';
import { decodePong, Flag, Op, type Message, type Metadata } from '../wire/index.js';
import { Arrivals } from './arrivals.js';
import type { CallInit, StreamInit } from './call-init.js';
import type { CallPorts, OutgoingCall, OutgoingPorts } from './call-ports.js';
import { CancelLine } from './cancel-line.js';
import { CallTable } from './call-table.js';
import { CallerStream } from './caller-stream.js';
import { HeldBytes } from './held-bytes.js';
import { openingMetadata } from './metadata-cap.js';
import { MuxIds } from './mux-ids.js';
import { OutgoingRequest, type RequestListener } from './outgoing-request.js';

/** The calls that this end made and that are not over. */
export class OutgoingCalls {
  private readonly calls: CallTable<OutgoingCall>;
  private readonly ids: MuxIds;
  private readonly ports: OutgoingPorts;
  private readonly arrivals: Arrivals;

  /** `probe`: see `MuxPorts`. */
  constructor(ports: CallPorts, probe: (() => void) | undefined) {
    this.arrivals = new Arrivals(probe);
    this.ids = new MuxIds(ports.clock.random());
    this.calls = new CallTable(ports.clock.random());
    this.ports = {
      ...ports,
      cancels: new CancelLine(ports.clock, ports.limits.cancelsPerSecond, this.arrivals, (muxId) => {
        ports.emitter.send(Op.DisconnectServerMux, muxId, 0, 0, undefined);
      }),
      pings: new Rota<CallerStream>(ports.clock, ports.intervals.streamPingMs, (stream) => stream.ping()),
      // how much of that there may be is said for each of them
      unread: new HeldBytes(Infinity),
      replace: (muxId, call) => this.calls.replace(muxId, call),
      release: (muxId) => this.calls.delete(muxId),
      upgrades: ports.dialect.extensions.has('upgrade'),
    };
  }

  get size(): number {
    return this.calls.size;
  }

  /** From now on no timer is set: streams that an answer begins often end before `release`. */
  hold(now: number): void {
    this.ports.pings.hold(now);
  }

  release(): void {
    this.ports.pings.release();
  }

  /** What was sent up to then has come to the peer. */
  arrived(sentAt: number): void {
    this.arrivals.tell(sentAt, this.ports.clock.now());
  }

  /** The open streams. */
  flows(): StreamFlow[] {
    return this.calls.values().map(({ flow }) => flow).filter((flow) => flow !== undefined);
  }

  /** @throws GridError with `notSent`, see `Mux.openRequest`. */
  openRequest(init: CallInit, listener: RequestListener): OutgoingRequest {
    const metadata = this.metadataOf(init);
    this.admit(init, metadata);
    const muxId = this.ids.next(this.calls);
    const request = new OutgoingRequest(this.ports, muxId, init, metadata, listener);
    this.calls.add(muxId, request);
    return request;
  }

  /** @throws GridError with `notSent`, see `Mux.openRequest`. */
  openStream(init: StreamInit): CallerStream {
    const metadata = this.metadataOf(init);
    this.admit(init, metadata);
    const muxId = this.ids.next(this.calls);
    const stream = CallerStream.open(this.ports, muxId, init, metadata);
    this.calls.add(muxId, stream);
    return stream;
  }

  /**
   * A message for a call of ours. Where the call is unknown and this is not its end, `tellUnknown` tells the peer's
   * handler that nobody listens (spec §6, H1).
   */
  receive(message: Message, cameAt: number, tellUnknown?: Op): void {
    const call = this.calls.get(message.muxId);
    if (call) {
      call.receive(message, cameAt);
      return;
    }
    // the goodbye that follows the end of each stream, and credits that crossed it
    if (message.op === Op.DisconnectClientMux || message.op === Op.UnblockClMux) return;
    const { cancels, emitter, observer } = this.ports;
    observer.dropped(message.op === Op.Response ? 'late-answer' : 'unknown-call');
    if (message.flags & Flag.Eof) {
      cancels.forget(message.muxId);
      return;
    }
    if (tellUnknown === undefined || cancels.has(message.muxId)) return;
    if (message.op === Op.Pong && decodePong(message.payload).notFound) return;
    emitter.send(tellUnknown, message.muxId, 0, 0, undefined);
  }

  /** The connection has ended. */
  drop(error: GridError): void {
    for (const call of this.calls.values()) call.drop(error);
    this.ports.pings.clear();
    this.ports.cancels.clear();
  }

  private metadataOf(init: CallInit): Metadata | undefined {
    // most calls carry none
    if (init.metadata === undefined && init.traceContext === undefined) return undefined;
    const { dialect, limits } = this.ports;
    return openingMetadata(init, dialect.extensions.has('meta'), limits.metadataBytes);
  }

  /** Looks at a call before anything of it is made. */
  private admit(init: CallInit, metadata: Metadata | undefined): void {
    const { payloadCap, emitter } = this.ports;
    if (init.timeoutMs !== undefined && init.timeoutMs < 1) {
      throw new GridError('DEADLINE_EXCEEDED', TEXT.deadline, { notSent: true });
    }
    const refusal = payloadCap.check(init.payload, metadata, init.subroute);
    if (refusal) throw refusal.with({ notSent: true });
    if (emitter.outbox.congested) {
      const text = 'too many bytes wait to be written to the peer (limits.queuedBytes)';
      throw new GridError('RESOURCE_EXHAUSTED', text, { reason: 'limit', notSent: true });
    }
  }
}
