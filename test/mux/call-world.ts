import type { CallHandler, Mux } from '../../lib/mux/index.js';
import { CREDIT_DELAY_MS } from '../../lib/mux/inbound.js';
import {
  silentCalls,
  silentObserver,
  type CallDirection,
  type CallObserver,
  type MuxObserver,
} from '../../lib/observe/index.js';
import { ManualClock } from '../../lib/testing/manual-clock.js';
import type { Extension } from '../../lib/wire/index.js';
import { RequestModel, StreamModel, type Causes } from './call-model.js';
import { muxPair, type MuxPair } from './mux-pair.js';
import { bytes, text } from './solo-mux.js';

export type Side = 'a' | 'b';
type Model = StreamModel | RequestModel;

/** From 32 on credits go back together. A handler ID tells both of its capacities, by their places here. */
export const CAPACITIES: readonly number[] = [0, 1, 2, 3, 4, 32];

/** Pings are sent so often that calls of a run live through many. */
const STREAM_PING_MS = 100;

/** Calls opened and ended, per direction, as the observers are told. */
class Balance {
  readonly open = { incoming: 0, outgoing: 0 };

  callsOf(direction: CallDirection): CallObserver {
    return {
      ...silentCalls,
      opened: () => void this.open[direction]++,
      ended: () => {
        if (--this.open[direction] < 0) throw new Error(`a call ended twice: ${direction}`);
      },
    };
  }
}

/** Two hosts that call each other over one connection after the other, on one clock, and everything they do. */
export class CallWorld {
  readonly clock = new ManualClock();
  readonly streams: StreamModel[] = [];
  readonly requests: RequestModel[] = [];
  reconnects = 0;
  private pair: MuxPair | undefined;
  private readonly balance = { a: new Balance(), b: new Balance() };
  /** Every call ever made; a call is opened with its number. */
  private readonly models: Model[] = [];
  /** Calls of the connection that stands. */
  private current: Model[] = [];

  constructor(private readonly extensions: readonly Extension[]) {
    this.connect();
  }

  connect(): void {
    if (this.pair) return;
    const directory = {
      find: (handler: number): CallHandler =>
        handler === 60
          ? {
              inCapacity: 0,
              outCapacity: 1,
              onRequest: (call) => this.opened(call.payload, RequestModel).startedAt(call),
            }
          : {
              // the capacities of a handler are fixed; here each opening carries its own in the handler ID
              inCapacity: CAPACITIES[Math.floor((handler - 100) / 10)]!,
              outCapacity: CAPACITIES[(handler - 100) % 10]!,
              onStream: (call) => this.opened(call.payload, StreamModel).startedAt(call),
            },
    };
    const observer = (side: Side): MuxObserver => ({
      ...silentObserver,
      callsOf: (direction) => this.balance[side].callsOf(direction),
    });
    this.pair = muxPair({
      clock: this.clock,
      extensions: this.extensions,
      intervals: { streamPingMs: STREAM_PING_MS, streamSilenceMs: 4 * STREAM_PING_MS },
      handlersA: directory,
      handlersB: directory,
      observerA: observer('a'),
      observerB: observer('b'),
    });
    this.pair.aToB.hold();
    this.pair.bToA.hold();
    this.reconnects++;
  }

  cut(): void {
    if (!this.pair) return;
    const { pair } = this;
    const lost = this.current;
    for (const { causes } of lost) causes.cut = true;
    this.current = [];
    this.pair = undefined;
    pair.cut();
    for (const model of lost) {
      if (model.running && model.aborts.length !== 1) throw new Error('a handler runs on and was not told');
    }
    const open = [pair.a.outgoing, pair.a.incoming, pair.b.outgoing, pair.b.incoming];
    if (open.some((count) => count > 0)) throw new Error(`calls are left after the cut: ${open.join()}`);
  }

  openStream(from: Side, inCapacity: number, outCapacity: number, timeoutMs: number | undefined): void {
    const mux = this.mux(from);
    if (!mux) return;
    const model = new StreamModel(this.causes(timeoutMs), inCapacity, outCapacity);
    this.streams.push(model);
    model.openedBy(
      mux.openStream({
        handler: 100 + CAPACITIES.indexOf(inCapacity) * 10 + CAPACITIES.indexOf(outCapacity),
        subroute: undefined,
        payload: this.numbered(model),
        timeoutMs,
        input: inCapacity > 0,
        inCapacity,
        outCapacity,
      }),
    );
  }

  openRequest(from: Side, timeoutMs: number | undefined): void {
    const mux = this.mux(from);
    if (!mux) return;
    const model = new RequestModel(this.causes(timeoutMs), String(this.requests.length));
    this.requests.push(model);
    model.call = mux.openRequest(
      { handler: 60, subroute: undefined, payload: this.numbered(model), timeoutMs },
      {
        onResponse: (payload) => void model.ends.push(text(payload) ?? ''),
        onError: (error) => void model.ends.push(error),
      },
    );
  }

  /** So many messages of one side arrive. */
  deliver(from: Side, count: number): void {
    (from === 'a' ? this.pair?.aToB : this.pair?.bToA)?.step(count);
  }

  pass(ms: number): void {
    // answers to pings are held until they are delivered, and that may be too late
    for (const { causes } of this.current) causes.silent = true;
    this.clock.advance(ms);
  }

  /** @throws Error when something is wrong now. */
  check(): void {
    const aborted = this.pair?.aborted;
    if (aborted) throw aborted.error;
    for (const model of this.models) if (model.lie !== undefined) throw new Error(model.lie);
  }

  /**
   * All that is on its way arrives and is taken, and time passes. @throws Error when a stream has not all credits then.
   */
  rest(): void {
    const streams = this.current.filter((model) => model instanceof StreamModel);
    for (let round = 0; round < 6; round++) {
      this.deliver('a', Infinity);
      this.deliver('b', Infinity);
      for (const { output, input, caller, handler } of streams) {
        output.takeFrom(caller.output, Infinity);
        input.takeFrom(handler?.input, Infinity);
      }
      this.pass(CREDIT_DELAY_MS / 2);
      this.check();
    }
    for (const { caller, handler } of streams) {
      for (const half of [caller.input, handler?.output]) {
        if (half && !half.closed && half.unacknowledged > 0) throw new Error(`${half.unacknowledged} credits are lost`);
      }
    }
  }

  /** Everything ends: the connection, the handlers, the reading. @throws Error when something is wrong then. */
  end(): void {
    this.rest();
    this.cut();
    for (const model of this.models) model.endHandler();
    for (const { output, input, caller, handler } of this.streams) {
      output.takeFrom(caller.output, Infinity);
      input.takeFrom(handler?.input, Infinity);
    }
    for (const model of this.models) {
      const lie = model.lie ?? model.lieAtTheEnd(this.clock.now());
      if (lie !== undefined) throw new Error(`${model.constructor.name} ${this.models.indexOf(model)}: ${lie}`);
    }
    for (const { open } of Object.values(this.balance)) {
      if (open.incoming + open.outgoing > 0) throw new Error(`told of as open for ever: ${JSON.stringify(open)}`);
    }
    if (this.clock.timers > 0) throw new Error(`${this.clock.timers} timers are left`);
  }

  private mux(side: Side): Mux | undefined {
    return this.pair?.[side];
  }

  private causes(timeoutMs: number | undefined): Causes {
    const deadlineAt = timeoutMs === undefined ? undefined : this.clock.now() + timeoutMs;
    return { deadlineAt, cancelled: false, handlerFailed: false, cut: false, silent: false };
  }

  private numbered(model: Model): Uint8Array {
    this.current.push(model);
    return bytes(String(this.models.push(model) - 1));
  }

  /** @throws Error where a handler is started by a call that is not of this connection. */
  private opened<T extends Model>(payload: Uint8Array | undefined, kind: new (...args: never[]) => T): T {
    const model = this.models[Number(text(payload))];
    if (!(model instanceof kind) || !this.current.includes(model)) throw new Error('a call of another connection');
    return model;
  }
}
