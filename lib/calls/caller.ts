import { Observable, type Subscriber, type TeardownLogic } from 'rxjs';
import { GridError, toGridError } from '../errors/index.js';
import { encodeApart, encodeToKeep, type CallerStream, type Mux } from '../mux/index.js';
import type { CallKind, GridLogger, MuxObserver } from '../observe/index.js';
import type { Clock } from '../time/index.js';
import { inputCleanup, named, unsendable } from './call-error.js';
import { CallOpening, StreamOpening } from './call-opening.js';
import {
  checkOptions,
  verifyIsOptions,
  watchSignals,
  type CallOptions,
  type InputSource,
  type StreamOptions,
} from './call-options.js';
import { CleanupLog } from './cleanup-log.js';
import { encodeOptional, type Codec, type PayloadSender } from './codec.js';
import type { Contract } from './contract.js';
import { checkSent } from './contract-check.js';
import { FailedCall } from './failed-call.js';
import type { GridCall } from './grid-call.js';
import { MOST_CAPACITY } from './handler-spec.js';
import { intercepted, type CallInterceptor, type OutgoingCall } from './intercept.js';
import { inputSource, OpenCall } from './open-call.js';
import { shownOption } from './option-names.js';
import { joinSubroute, type Pattern } from './pattern.js';
import { PendingRequest } from './pending-request.js';
import { SentCall } from './sent-call.js';
import { discardResult } from './source-of.js';
import { NOWHERE, type Source } from './source.js';
import { Targets, type Target } from './target.js';

export interface CallerPorts {
  /** Origin of the host that is called. */
  readonly origin: string;
  /** The mux of the connection that stands now. @throws GridError UNAVAILABLE, reason `not-connected`, `notSent`. */
  readonly line: () => Mux;
  /** Where calls are counted that no mux took. */
  readonly observer: Pick<MuxObserver, 'callsOf'>;
  /** The grid's default. */
  readonly codec: Codec;
  readonly clock: Clock;
  /** Told what the cleanup of an input throws when its call is over. */
  readonly logger: GridLogger;
  /** Looked at for each call: hooks may come and go. */
  readonly interceptors: readonly CallInterceptor[];
  /** Prefix of each pattern's subroute. */
  readonly subroute?: string | undefined;
}

/** Makes calls to one peer. All that goes wrong is a GridError with `peer` and, once it is known, `pattern`. */
export class Caller {
  private readonly targets: Targets;

  constructor(
    private readonly ports: CallerPorts,
    private readonly cleanups = new CleanupLog(ports),
  ) {
    this.targets = new Targets(ports.subroute);
  }

  /** The same peer under a (further) prefix. @throws GridError INVALID_ARGUMENT for an empty part. */
  subroute(...parts: string[]): Caller {
    const own = joinSubroute(parts);
    const prefix = this.ports.subroute;
    return new Caller({ ...this.ports, subroute: prefix === undefined ? own : `${prefix}/${own}` }, this.cleanups);
  }

  /** One answer; `undefined` where the handler gave none. Never throws: all that goes wrong rejects. */
  request(to: Pattern | Contract, payload?: unknown, options?: CallOptions): Promise<unknown> {
    if (this.ports.interceptors.length === 0) return this.openRequest(to, payload, options);
    return this.interceptedRequest('request', to, payload, options);
  }

  /** Resolves when the peer has the event; its handlers run after that. */
  async emit(event: Pattern | Contract, payload?: unknown, options?: CallOptions): Promise<void> {
    if (this.ports.interceptors.length === 0) await this.openRequest(event, payload, options);
    else await this.interceptedRequest('event', event, payload, options);
  }

  /**
   * Starts a stream at once. What fails later, a missing connection included, shows at the call.
   * @throws GridError INVALID_ARGUMENT for a wrong pattern, option or payload.
   */
  stream(to: Pattern | Contract, payload?: unknown, options?: StreamOptions): GridCall {
    if (this.ports.interceptors.length === 0) return this.openStream(to, payload, options);
    return this.interceptedStream(to, payload, options);
  }

  /** One answer or many. Cold: each subscription makes a call, unsubscribing cancels it. No result is `undefined`. */
  send(to: Pattern | Contract, payload?: unknown, options?: CallOptions): Observable<unknown> {
    return new Observable((subscriber) => this.sendTo(subscriber, to, payload, options));
  }

  /**
   * One subscription of `send`; gives its teardown.
   * @param errorOf The error as the subscriber gets it. Default: the GridError.
   */
  sendTo(
    subscriber: Subscriber<unknown>,
    to: Pattern | Contract,
    payload: unknown,
    options: CallOptions | undefined,
    errorOf: (error: unknown) => unknown = asItIs,
  ): TeardownLogic {
    const { interceptors } = this.ports;
    if (interceptors.length === 0) return this.openSend(subscriber, to, payload, options, errorOf);
    const call = this.outgoing('send', this.target(to), payload, options);
    const open = (changed: OutgoingCall): Observable<unknown> =>
      new Observable((inner) => this.openSend(inner, to, changed.payload, changed.options, asItIs));
    return intercepted(interceptors, 'send', call, open).subscribe({
      next: (value) => subscriber.next(value),
      error: (error: unknown) => subscriber.error(errorOf(error)),
      complete: () => subscriber.complete(),
    });
  }

  private async interceptedRequest(
    kind: 'request' | 'event',
    to: Pattern | Contract,
    payload: unknown,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    const call = this.outgoing(kind, this.target(to), payload, options);
    return intercepted(this.ports.interceptors, 'request', call, (changed) =>
      this.openRequest(to, changed.payload, changed.options),
    );
  }

  private interceptedStream(to: Pattern | Contract, payload: unknown, options: StreamOptions | undefined): GridCall {
    let begun = false;
    let opened: GridCall | undefined;
    try {
      const call = this.outgoing('stream', this.target(to), payload, options);
      return intercepted(this.ports.interceptors, 'stream', call, (changed) => {
        begun = true;
        opened = this.openStream(to, changed.payload, changed.options);
        return opened;
      });
    } catch (fault) {
      // nobody has the call, nor will read its input
      if (!begun) discardResult(options?.input, this.cleanupOf(undefined));
      opened?.cancel(fault);
      throw fault;
    }
  }

  private openRequest(to: Pattern | Contract, payload: unknown, options: CallOptions | undefined): Promise<unknown> {
    let target: Target | undefined;
    try {
      target = this.target(to);
      if (target.contract?.kind === 'stream') throw wrongKind(target);
      const timeoutMs = options === undefined ? undefined : checkOptions(options, this.ports.clock);
      const codec = this.codecOf(target, options);
      const mux = this.ports.line();
      const pending = new PendingRequest(codec, this.ports.origin, target, options);
      const opening = new CallOpening(target, timeoutMs, options);
      opening.payload = encoded(mux, codec, payload, target, options);
      const request = mux.openRequest(opening, pending);
      pending.forget = options && watchSignals(options, (error) => request.cancel(error));
      return pending.answer;
    } catch (fault) {
      const error = this.failure(fault, target);
      this.countRefused('request', target, error);
      return Promise.reject(error);
    }
  }

  private openSend(
    subscriber: Subscriber<unknown>,
    to: Pattern | Contract,
    payload: unknown,
    options: CallOptions | undefined,
    errorOf: (error: unknown) => unknown,
  ): TeardownLogic {
    let target: Target | undefined;
    try {
      target = this.target(to);
      const timeoutMs = options === undefined ? undefined : checkOptions(options, this.ports.clock);
      const codec = this.codecOf(target, options);
      const mux = this.ports.line();
      const sent = new SentCall(subscriber, codec, this.ports.origin, target, options, errorOf);
      const opening = new CallOpening(target, timeoutMs, options);
      opening.payload = encoded(mux, codec, payload, target, options);
      sent.opened(mux.openRequest(opening, sent));
      return sent;
    } catch (fault) {
      const error = this.failure(fault, target);
      this.countRefused('request', target, error);
      subscriber.error(errorOf(error));
      return undefined;
    }
  }

  private openStream(to: Pattern | Contract, payload: unknown, options: StreamOptions | undefined): GridCall {
    let target: Target | undefined;
    let given: InputSource<unknown> | undefined;
    let input: Source | undefined;
    let stream: CallerStream | undefined;
    try {
      given = options?.input;
      target = this.target(to);
      if (target.contract?.kind === 'request') throw wrongKind(target);
      const timeoutMs = options === undefined ? undefined : checkOptions(options, this.ports.clock);
      const codec = this.codecOf(target, options);
      const contract = target.contract?.kind === 'stream' ? target.contract : undefined;
      const inCapacity = options?.inCapacity ?? (contract?.inCapacity || undefined);
      const outCapacity = options?.outCapacity ?? contract?.outCapacity;
      checkCapacity('inCapacity', inCapacity, 0);
      checkCapacity('outCapacity', outCapacity, 1);
      const takesInput = given !== undefined || (inCapacity ?? 0) > 0;
      const opening = new StreamOpening(target, timeoutMs, options, takesInput, inCapacity, outCapacity);
      // not where it will be sent: what is wrong with it is told without a connection too, and before the input runs
      const sender = given === undefined ? PLAIN : KEPT;
      opening.payload = encoded(sender, codec, payload, target, options);
      if (given !== undefined) {
        input = inputSource(given, { ...NOWHERE, cleanupFailed: this.cleanupOf(target) });
      }
      const opened = (stream = this.ports.line().openStream(opening));
      const { origin } = this.ports;
      const call = new OpenCall(opened, origin, target, codec, options, takesInput, this.cleanups, input);
      if (options && !opened.over) call.forget = watchSignals(options, (error) => opened.cancel(error));
      return call;
    } catch (fault) {
      // nobody will read it: a file that stands open is closed
      if (input) input.stop(() => {});
      else discardResult(given, this.cleanupOf(target));
      // the handler may run already
      const error = this.failure(fault, target, stream === undefined);
      if (stream) stream.cancel(error);
      else this.countRefused('stream', target, error);
      if (error.code === 'INVALID_ARGUMENT') throw error;
      return new FailedCall(error);
    }
  }

  /** Is told what the cleanup of an input throws whose call never was. */
  private cleanupOf(target: Target | undefined): (thrown: unknown) => void {
    return (thrown) => this.cleanups.tell(inputCleanup(this.ports.origin, target), thrown, undefined);
  }

  private outgoing(
    kind: OutgoingCall['kind'],
    target: Target,
    payload: unknown,
    options: StreamOptions = {},
  ): OutgoingCall {
    try {
      verifyIsOptions(options);
    } catch (fault) {
      throw this.failure(fault, target);
    }
    return { kind, peer: this.ports.origin, pattern: target.name, payload, options };
  }

  private target(to: Pattern | Contract): Target {
    try {
      return this.targets.of(to);
    } catch (fault) {
      throw this.failure(fault, undefined);
    }
  }

  private codecOf(target: Target, options: CallOptions | undefined): Codec {
    return options?.codec ?? target.codec ?? this.ports.codec;
  }

  /**
   * A call that no mux has taken, and counts: while a peer is away all calls to it end so. On the way of a request
   * whatever may throw does so before the mux has it.
   */
  private countRefused(kind: CallKind, target: Target | undefined, { code }: GridError): void {
    // what names no handler is no call yet
    if (target) this.ports.observer.callsOf('outgoing', kind, target.handler, target.pattern).refused(code);
  }

  /** `notSent`: no mux has taken the call. */
  private failure(fault: unknown, target: Target | undefined, notSent = true): GridError {
    const thrown = toGridError(fault, 'INTERNAL');
    const error = thrown.notSent === notSent ? thrown : thrown.with({ notSent });
    return target ? named(error, this.ports.origin, target) : error.with({ peer: this.ports.origin });
  }
}

function encoded(
  sender: PayloadSender,
  codec: Codec,
  payload: unknown,
  target: Target,
  options: CallOptions | undefined,
): Uint8Array | undefined {
  try {
    checkSent('payload', payload, target, options);
    return encodeOptional(sender, codec, payload);
  } catch (thrown) {
    throw unsendable(thrown, 'the payload').with({ notSent: true });
  }
}

function wrongKind({ name, contract }: Target): GridError {
  const advice = contract?.kind === 'stream' ? 'a stream: call stream()' : 'a request: call request()';
  return new GridError('INVALID_ARGUMENT', `${name} is ${advice}`, { notSent: true });
}

function checkCapacity(option: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= MOST_CAPACITY)) return;
  const text = `${option} must be an integer from ${least} to ${MOST_CAPACITY}, not ${shownOption(value)}`;
  throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
}

const PLAIN: PayloadSender = { encode: encodeApart };
/** The input may use memory of the codec again as soon as it is begun. */
const KEPT: PayloadSender = { encode: encodeToKeep };

function asItIs(error: unknown): unknown {
  return error;
}
