import type { Subscriber, Unsubscribable } from 'rxjs';
import type { GridError } from '../errors/index.js';
import type { CallerStream, OutgoingRequest, RequestListener } from '../mux/index.js';
import type { Metadata } from '../wire/index.js';
import { named, unreadableAnswer } from './call-error.js';
import { tellMetadata, watchSignals, type CallOptions } from './call-options.js';
import { decodeOptional, type Codec } from './codec.js';
import { checkedAnswer } from './contract-check.js';
import { observeMessages, type ObserverPorts } from './message-observer.js';
import { cancelled } from './signal-watch.js';
import type { Target } from './target.js';

/** One subscription of `send()`: a request whose answer may turn out to be a stream. Unsubscribing cancels it. */
export class SentCall implements RequestListener, ObserverPorts, Unsubscribable {
  private request: OutgoingRequest | undefined = undefined;
  private stream: CallerStream | undefined = undefined;
  /** The one answer or the error is there: nothing is left to cancel. */
  private settled = false;
  /** Takes the listener off the caller's signals. */
  private forget: (() => void) | undefined = undefined;

  constructor(
    private readonly subscriber: Subscriber<unknown>,
    private readonly codec: Codec,
    private readonly peer: string,
    private readonly target: Target,
    private readonly options: CallOptions | undefined,
    /** The error as the subscriber gets it. */
    private readonly errorOf: (error: unknown) => unknown,
  ) {}

  /** The request that was made for it. */
  opened(request: OutgoingRequest): void {
    this.request = request;
    if (this.options) this.forget = watchSignals(this.options, (error) => this.cancel(error));
  }

  onResponse(payload: Uint8Array | undefined, metadata: Metadata | undefined): void {
    this.settled = true;
    if (metadata) tellMetadata(this.options, metadata);
    let value: unknown;
    try {
      value = checkedAnswer(decodeOptional(this.codec, payload), this.target, this.options);
    } catch (thrown) {
      this.subscriber.error(this.named(unreadableAnswer(thrown)));
      return;
    }
    this.subscriber.next(value);
    this.subscriber.complete();
  }

  onError(error: GridError, metadata: Metadata | undefined): void {
    this.settled = true;
    tellMetadata(this.options, metadata);
    this.subscriber.error(this.named(error));
  }

  onStream(stream: CallerStream): void {
    this.stream = stream;
    stream.onOver = () => tellMetadata(this.options, stream.responseMetadata);
    observeMessages(stream.output, this, this.subscriber);
  }

  /** @internal */
  decode(payload: Uint8Array): unknown {
    return checkedAnswer(this.codec.decode(payload), this.target, this.options);
  }

  /** @internal */
  onBroken(thrown: unknown): unknown {
    const error = unreadableAnswer(thrown);
    this.cancel(error);
    return this.named(error);
  }

  /** @internal */
  named(error: GridError): unknown {
    return this.errorOf(named(error, this.peer, this.target));
  }

  /** Nobody listens any more. Every call comes by here: what is over is left alone. */
  unsubscribe(): void {
    this.forget?.();
    if (this.settled) return;
    if (!this.stream?.over) this.cancel(cancelled(undefined));
    this.stream?.output.discard();
  }

  /** Ends the call in whichever state it is; does nothing once it is over. */
  private cancel(error: GridError): void {
    if (this.stream) this.stream.cancel(error);
    else this.request?.cancel(error);
  }
}
