import { inspect } from 'node:util';
import { distinctUntilChanged, type Observable, type Subscriber, type TeardownLogic } from 'rxjs';
import {
  checkTimeoutMs,
  verifyIsOptions,
  type Caller,
  type CallOptions,
  type GridCall,
  type Pattern,
  type GivenAnswer,
  type InputMessageOf,
  type NeedsPayload,
  type PayloadArgs,
  type PayloadOf,
  type RequestContract,
  type SendableContract,
  type StreamArgs,
  type StreamContract,
  type StreamOptions,
} from '../calls/index.js';
import type { Link } from './link.js';
import type { PeerState, WaitOptions } from './peer-state.js';

/** One host as its callers see it: `grid.peer(origin)`. Every error is a GridError that names the peer. */
export class GridPeer {
  /** The state now, and each that follows; completes when the grid is closed. */
  readonly status: Observable<PeerState>;

  constructor(
    private readonly link: Link,
    private readonly caller: Caller,
  ) {
    this.status = link.status.pipe(distinctUntilChanged());
  }

  /** The host's name as it stands in the list: scheme, host and port. */
  get origin(): string {
    return this.link.peer;
  }

  /** How it stands with the host now. */
  get state(): PeerState {
    return this.link.state;
  }

  /**
   * One request, one answer. Without `timeoutMs` or `deadline` it ends after `intervals.requestTimeoutMs` (60 s). Not
   * connected: rejects at once with UNAVAILABLE, reason `not-connected`, `notSent`. Never throws.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- untyped unless named, as in Nest's ClientProxy
  request<Res = any>(to: Pattern, payload?: unknown, options?: CallOptions): Promise<Res>;
  request<C extends RequestContract>(to: C & NeedsPayload<PayloadOf<C>>): Promise<unknown>;
  // this overload is last: the compiler's error is about the last one, and a contract's types are what it can explain
  request<C extends RequestContract, V extends boolean = false>(
    to: C,
    ...args: PayloadArgs<PayloadOf<C>, CallOptions<V>>
  ): Promise<GivenAnswer<C, V>>;
  request(to: Pattern | RequestContract, payload?: unknown, options?: CallOptions): Promise<unknown> {
    return this.caller.request(to, payload, options);
  }

  /**
   * A stream of messages, one way or both; it starts at once and has no deadline of its own. Throws INVALID_ARGUMENT
   * for a wrong pattern, option or payload; what fails otherwise, a missing connection too, shows at the call.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  stream<Out = any, In = any>(to: Pattern, payload?: unknown, options?: StreamOptions<In>): GridCall<In, Out>;
  stream<C extends StreamContract>(to: C & NeedsPayload<PayloadOf<C>>): GridCall;
  stream<C extends StreamContract, V extends boolean = false>(
    to: C,
    ...args: StreamArgs<PayloadOf<C>, InputMessageOf<C>, V>
  ): GridCall<InputMessageOf<C>, GivenAnswer<C, V>>;
  stream(to: Pattern | StreamContract, payload?: unknown, options?: StreamOptions): GridCall {
    return this.caller.stream(to, payload, options);
  }

  /**
   * Resolves when the peer has the event: before its handlers run. Without `timeoutMs` or `deadline` it waits for that
   * up to `intervals.requestTimeoutMs` (60 s). Rejects as `request` does; UNIMPLEMENTED where nobody listens.
   */
  emit(event: Pattern, payload?: unknown, options?: CallOptions): Promise<void> {
    return this.caller.emit(event, payload, options);
  }

  /**
   * One answer or many, as Nest's `ClientProxy.send()` gives them. Cold: each subscription makes a call, unsubscribing
   * cancels it. Without `timeoutMs` or `deadline` the first sign of the handler must come within
   * `intervals.requestTimeoutMs` (60 s); a stream of answers then has no deadline. The contract of a stream with input
   * is refused by the compiler: nothing here gives any.
   */
  send<Res = unknown>(to: Pattern, payload?: unknown, options?: CallOptions): Observable<Res>;
  send<C extends SendableContract>(to: C & NeedsPayload<PayloadOf<C>>): Observable<unknown>;
  send<C extends SendableContract, V extends boolean = false>(
    to: C,
    ...args: PayloadArgs<PayloadOf<C>, CallOptions<V>>
  ): Observable<GivenAnswer<C, V>>;
  send(to: Pattern | SendableContract, payload?: unknown, options?: CallOptions): Observable<unknown> {
    return this.caller.send(to, payload, options);
  }

  /**
   * One subscription of `send`, with errors as `errorOf` makes them.
   * @internal
   */
  sendTo(
    subscriber: Subscriber<unknown>,
    to: Pattern,
    payload: unknown,
    options: CallOptions | undefined,
    errorOf: (error: unknown) => unknown,
  ): TeardownLogic {
    return this.caller.sendTo(subscriber, to, payload, options, errorOf);
  }

  /** The same host under a (further) prefix of each pattern's subroute. Throws INVALID_ARGUMENT for an empty part. */
  subroute(...parts: string[]): GridPeer {
    return new GridPeer(this.link, this.caller.subroute(...parts));
  }

  /**
   * Resolves when the connection stands. Rejects with DEADLINE_EXCEEDED after `timeoutMs`, CANCELLED on `signal`,
   * UNAVAILABLE (reason `closed`) when the grid is closed, INVALID_ARGUMENT for options that are none.
   */
  async waitForConnect(options: WaitOptions = {}): Promise<void> {
    verifyIsOptions(options);
    if (options.timeoutMs !== undefined) checkTimeoutMs(options.timeoutMs);
    await this.link.waitForConnect(options);
  }

  /**
   * Measures a round trip of the connection, in milliseconds. Rejects with UNAVAILABLE where there is none, or when it
   * ends first.
   */
  ping(): Promise<number> {
    return this.link.ping();
  }

  /** What a log shows of it: its sockets hold keys and tokens. */
  [inspect.custom](): string {
    return `GridPeer { ${this.origin}, ${this.state} }`;
  }

  /** The same as JSON. */
  toJSON(): { origin: string; state: PeerState } {
    return { origin: this.origin, state: this.state };
  }
}
