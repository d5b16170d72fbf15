import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { Observable } from 'rxjs';
import { GridError, handled, textOf } from '../errors/index.js';
import { CLEAN_END, Fifo, type CallerStream, type End } from '../mux/index.js';
import { inputCleanup, named, unreadableAnswer, unsendable } from './call-error.js';
import { tellMetadata, type InputSource, type StreamOptions } from './call-options.js';
import type { CleanupLog } from './cleanup-log.js';
import type { Codec } from './codec.js';
import { checkedAnswer, checkSent } from './contract-check.js';
import { rejected } from './failed-call.js';
import type { GridCall } from './grid-call.js';
import { DEFAULT_OUT_BUFFER } from './handler-spec.js';
import { observeMessages } from './message-observer.js';
import { Outflow, UnsendableValue } from './outflow.js';
import { OutputReader, ReadableReader } from './output-reader.js';
import { PullSource } from './pull-source.js';
import { isIterable } from './result-kind.js';
import { cancelled } from './signal-watch.js';
import { sourceOf } from './source-of.js';
import type { Sink, Source } from './source.js';
import type { Target } from './target.js';

class PendingWrite {
  constructor(
    readonly payload: Uint8Array,
    readonly resolve: () => void,
    readonly reject: (error: GridError) => void,
  ) {}
}

/** Who wants to know when the call is over. */
interface Waiting {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: GridError) => void;
}

/** A stream that was opened. */
export class OpenCall implements GridCall {
  /** Forgets the signals that would cancel the call. */
  forget: (() => void) | undefined = undefined;

  /** Made with the first one. */
  private writes: Fifo<PendingWrite> | undefined = undefined;
  private inputEnded = false;
  private feed: Outflow | undefined = undefined;
  private hasReader = false;
  private waiting: Waiting | undefined = undefined;
  private ended: End | undefined = undefined;
  /** The last error that was named, so that one failure is one object wherever it shows. */
  private lastError: { readonly bare: GridError; readonly named: GridError } | undefined = undefined;

  constructor(
    private readonly stream: CallerStream,
    private readonly peer: string,
    private readonly target: Target,
    private readonly codec: Codec,
    private readonly options: StreamOptions | undefined,
    /** The call was opened for input. */
    private readonly takesInput: boolean,
    private readonly cleanups: CleanupLog,
    input: Source | undefined,
  ) {
    stream.onOver = (error) => this.onOver(error);
    if (!takesInput) return;
    stream.input.onReady = () => this.flush();
    if (input) this.feed = this.pump(input);
  }

  get done(): Promise<void> {
    if (this.waiting) return this.waiting.promise;
    let resolve!: () => void;
    let reject!: (error: GridError) => void;
    // `done` is for who wants to know: the output tells the same error
    const promise = handled(
      new Promise<void>((onDone, onError) => {
        resolve = onDone;
        reject = onError;
      }),
    );
    this.waiting = { promise, resolve, reject };
    if (this.ended) this.tell(this.waiting, this.ended);
    return promise;
  }

  write(message: unknown): Promise<void> {
    const refusal = this.refusal();
    if (refusal) return rejected(this.named(refusal));
    let payload: Uint8Array;
    try {
      payload = this.encode(message, this.writes?.length ?? 0);
    } catch (thrown) {
      return rejected(this.named(unsendable(thrown, 'the message')));
    }
    const written = new Promise<void>((resolve, reject) => {
      this.writes ??= new Fifo();
      this.writes.push(new PendingWrite(payload, resolve, reject));
    });
    // who does not wait for its writes learns of the failure where it reads, not by a crash
    void handled(written);
    this.flush();
    return written;
  }

  end(): void {
    if (this.inputEnded || this.feed || !this.takesInput) return;
    this.inputEnded = true;
    this.flush();
  }

  cancel(reason?: unknown): void {
    // an Observable that completed is torn down too: nothing is left to end, and an error's stack costs
    if (!this.stream.over) this.stream.cancel(cancelled(reason));
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    this.claim();
    return new OutputReader(this.stream.output, this);
  }

  toObservable(): Observable<unknown> {
    return new Observable((subscriber) => {
      try {
        this.claim();
      } catch (error) {
        subscriber.error(error);
        return undefined;
      }
      const { output } = this.stream;
      observeMessages(output, this, subscriber);
      return () => {
        this.cancel();
        output.discard();
      };
    });
  }

  toReadable(): Readable {
    // it asks for a message only when it wants one, and returns the iterator when it is destroyed
    this.claim();
    const reader = new ReadableReader(this.stream.output, this);
    const messages = { [Symbol.asyncIterator]: () => reader };
    return Readable.from(messages, { objectMode: true, highWaterMark: 1 });
  }

  /** What a log shows of it: neither what the caller gave along nor the connection. */
  [inspect.custom](): string {
    return `GridCall { ${this.peer}, ${this.target.name} }`;
  }

  /** The same as JSON. */
  toJSON(): { peer: string; pattern: string } {
    return { peer: this.peer, pattern: this.target.name };
  }

  /** @internal */
  decode(payload: Uint8Array): unknown {
    const { codec, target, options } = this;
    return checkedAnswer(codec.decode(payload), target, options);
  }

  /** @internal */
  onBroken(thrown: unknown): GridError {
    const error = unreadableAnswer(thrown);
    this.stream.cancel(error);
    return this.named(error);
  }

  /** @internal */
  named(error: GridError): GridError {
    if (this.lastError?.bare === error) return this.lastError.named;
    const asGiven = named(error, this.peer, this.target);
    // what a write is refused with afterwards must not take the place of the error that the call ended with
    if (!this.ended || this.ended.error === error) this.lastError = { bare: error, named: asGiven };
    return asGiven;
  }

  /** @internal */
  onLeft(error: GridError | undefined): void {
    if (error) this.stream.cancel(error);
    else this.cancel();
  }

  private encode(message: unknown, waiting: number): Uint8Array {
    const { codec, target, options } = this;
    checkSent('input', message, target, options);
    return this.stream.input.encode(message, codec, waiting);
  }

  private onOver(error: GridError | undefined): void {
    this.ended = error ? { error } : CLEAN_END;
    this.forget?.();
    tellMetadata(this.options, this.stream.responseMetadata);
    this.feed?.stop(() => {});
    if (this.waiting) this.tell(this.waiting, this.ended);
  }

  private tell({ resolve, reject }: Waiting, { error }: End): void {
    if (error) reject(this.named(error));
    else resolve();
  }

  private claim(): void {
    if (this.hasReader) {
      const text = 'the messages of a call have one reader: an iterator, toObservable() or toReadable()';
      throw this.named(new GridError('FAILED_PRECONDITION', text));
    }
    this.hasReader = true;
  }

  /** Why a message cannot be written any more. */
  private refusal(): GridError | undefined {
    const refused = (text: string): GridError => new GridError('FAILED_PRECONDITION', `write(): ${text}`);
    if (this.feed) return refused('the call was given its input');
    if (this.inputEnded) return refused('after end()');
    const { closed } = this.stream.input;
    if (GridError.is(closed)) return closed;
    if (!this.takesInput) return refused('the call takes no input: give it the option input or inCapacity');
    return closed && refused('the call is over');
  }

  /** Sends what credit allows; when the direction is closed, what still waits has failed. */
  private flush(): void {
    const { writes } = this;
    const { input } = this.stream;
    while (writes && writes.length > 0 && input.ready) {
      const write = writes.shift()!;
      try {
        input.send(write.payload);
        write.resolve();
      } catch (error) {
        write.reject(this.named(error as GridError));
      }
    }
    const { closed } = input;
    if (closed) this.failWrites(closed);
    else if (this.inputEnded && !writes?.length) input.end();
  }

  private failWrites(closed: GridError | 'ended'): void {
    const { writes } = this;
    if (!writes || writes.length === 0) return;
    const error = GridError.is(closed) ? closed : new GridError('FAILED_PRECONDITION', 'write(): the call is over');
    for (let write = writes.shift(); write; write = writes.shift()) write.reject(this.named(error));
  }

  private pump(source: Source): Outflow {
    const { stream } = this;
    const feed = new Outflow({
      outbound: stream.input,
      encode: (message, waiting) => this.encode(message, waiting),
      outBuffer: DEFAULT_OUT_BUFFER,
      ahead: true,
      onEnd: () => stream.input.end(),
      onFail: (thrown) => stream.cancel(inputFailure(thrown)),
      onCleanupFailed: (thrown) => {
        this.cleanups.tell(inputCleanup(this.peer, this.target), thrown, this.ended?.error);
      },
      // by the end of the call, or by a handler without input: the call goes on (spec §11, `capacity`)
      onClosed: () => feed.stop(() => {}),
    });
    feed.attach(source);
    return feed;
  }
}

/** The source that the option `input` is. @throws GridError INVALID_ARGUMENT for what is none. */
export function inputSource(input: InputSource<unknown>, sink: Sink): Source {
  const source = sourceOf(input, sink);
  if (source) return source;
  if (isIterable(input) && !ArrayBuffer.isView(input)) return new PullSource(input[Symbol.iterator](), sink);
  const text = 'input must be an Iterable, AsyncIterable, Observable or Readable of messages';
  throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
}

function inputFailure(thrown: unknown): GridError {
  if (UnsendableValue.is(thrown)) return unsendable(thrown.thrown, 'a message of the input');
  // its reason, and that it was not sent, tell of the call that was the input
  if (GridError.is(thrown)) {
    return new GridError(thrown.code, thrown.message, { details: thrown.details, cause: thrown });
  }
  return new GridError('CANCELLED', `the input failed: ${textOf(thrown)}`, { cause: thrown });
}
