import type { Subscriber } from 'rxjs';
import type { GridError } from '../errors/index.js';
import type { CallerStream, OutgoingRequest, RequestListener } from '../mux/index.js';
import type { Metadata } from '../wire/index.js';
import { named, unreadableAnswer } from './call-error.js';
import { tellMetadata, type CallOptions } from './call-options.js';
import { decodeOptional, type Codec } from './codec.js';
import { checkedAnswer } from './contract-check.js';
import { observeMessages, type ObserverPorts } from './message-observer.js';
import type { Target } from './target.js';

/** One subscription of `send()`: a request whose answer may turn out to be a stream. */
export class SentCall implements RequestListener, ObserverPorts {
  private stream: CallerStream | undefined;
  /** The one answer or the error is there: nothing is left to cancel. */
  private settled = false;

  constructor(
    private readonly subscriber: Subscriber<unknown>,
    private readonly codec: Codec,
    private readonly peer: string,
    private readonly target: Target,
    private readonly options: CallOptions | undefined,
  ) {}

  onResponse(payload: Uint8Array | undefined, metadata: Metadata | undefined): void {
    this.settled = true;
    tellMetadata(this.options, metadata);
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
  onBroken(thrown: unknown): GridError {
    return this.named(unreadableAnswer(thrown));
  }

  /** @internal */
  named(error: GridError): GridError {
    return named(error, this.peer, this.target);
  }

  /** Ends the call in whichever state it is; does nothing once it is over. */
  cancel(request: OutgoingRequest, error: GridError): void {
    if (this.stream) this.stream.cancel(error);
    else request.cancel(error);
  }

  /** Nobody listens any more. `why` is asked only if there is something to end: every call comes by here. */
  leave(request: OutgoingRequest, why: () => GridError): void {
    if (this.settled) return;
    if (!this.stream?.over) this.cancel(request, why());
    this.stream?.output.discard();
  }
}
