import { Readable } from 'node:stream';
import { isObservable, Observable } from 'rxjs';
import { GridError, textOf } from '../errors/index.js';
import type { CallerStream } from '../mux/index.js';
import { named, unreadableAnswer, unsendable } from './call-error.js';
import type { InputSource, StreamOptions } from './call-options.js';
import type { Codec } from './codec.js';
import { checkedAnswer, checkSent } from './contract-check.js';
import { rejected } from './failed-call.js';
import type { GridCall } from './grid-call.js';
import { DEFAULT_OUT_BUFFER } from './handler-spec.js';
import { observeMessages } from './message-observer.js';
import { MessageReader } from './message-reader.js';
import { Outflow, UnsendableValue } from './outflow.js';
import { isAsyncIterable, isIterable } from './result-kind.js';
import { cancelled } from './signal-watch.js';
import { NOWHERE, PullSource, PushSource, type Source } from './source.js';
import type { Target } from './target.js';

export interface OpenCallFacts {
  readonly peer: string;
  readonly target: Target;
  readonly codec: Codec;
  readonly options: StreamOptions;
  /** The call was opened for input. */
  readonly takesInput: boolean;
  /** Called once, when the call is over. */
  readonly onOver: () => void;
}

interface PendingWrite {
  readonly payload: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: GridError) => void;
}

/** A stream that was opened. */
export class OpenCall implements GridCall {
  readonly done: Promise<void>;

  private writes: PendingWrite[] = [];
  private inputEnded = false;
  private feed: Outflow | undefined;
  private hasReader = false;
  /** The last error that was named, so that one failure is one object wherever it shows. */
  private lastError: { readonly bare: GridError; readonly named: GridError } | undefined;

  constructor(
    private readonly stream: CallerStream,
    private readonly facts: OpenCallFacts,
    input: Source | undefined,
  ) {
    this.done = new Promise((resolve, reject) => {
      stream.onOver = (error) => {
        facts.onOver();
        this.feed?.stop(() => {});
        if (error) reject(this.named(error));
        else resolve();
      };
    });
    // marks it as handled: `done` is for who wants to know, and the output tells the same error
    this.done.catch(() => {});
    stream.input.onReady = () => this.flush();
    if (input) this.feed = this.pump(input);
  }

  write(message: unknown): Promise<void> {
    const refusal = this.refusal();
    if (refusal) return rejected(this.named(refusal));
    let payload: Uint8Array;
    try {
      payload = this.encode(message);
    } catch (thrown) {
      return rejected(this.named(unsendable(thrown, 'the message')));
    }
    const written = new Promise<void>((resolve, reject) => this.writes.push({ payload, resolve, reject }));
    // who does not wait for its writes learns of the failure where it reads, not by a crash
    written.catch(() => {});
    this.flush();
    return written;
  }

  end(): void {
    if (this.inputEnded || this.feed || !this.facts.takesInput) return;
    this.inputEnded = true;
    this.flush();
  }

  cancel(reason?: unknown): void {
    this.stream.cancel(cancelled(reason));
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    this.claim();
    return new MessageReader({
      inbound: this.stream.output,
      decode: this.decode,
      named: (error) => this.named(error),
      broken: unreadableAnswer,
      onLeave: (error) => this.stream.cancel(error ?? cancelled(undefined)),
    });
  }

  toObservable(): Observable<unknown> {
    return new Observable((subscriber) => {
      try {
        this.claim();
      } catch (error) {
        subscriber.error(error);
        return undefined;
      }
      const onBroken = (thrown: unknown): GridError => {
        const error = unreadableAnswer(thrown);
        this.stream.cancel(error);
        return this.named(error);
      };
      const { output } = this.stream;
      observeMessages(
        { inbound: output, decode: this.decode, named: (error) => this.named(error), onBroken },
        subscriber,
      );
      return () => {
        this.cancel();
        output.discard();
      };
    });
  }

  toReadable(): Readable {
    // it asks for a message only when it wants one, and returns the iterator when it is destroyed
    const messages = { [Symbol.asyncIterator]: () => reader };
    const reader = this[Symbol.asyncIterator]();
    return Readable.from(messages, { objectMode: true, highWaterMark: 1 });
  }

  private readonly encode = (message: unknown): Uint8Array => {
    const { codec, target, options } = this.facts;
    checkSent('input', message, target, options);
    return codec.encode(message);
  };

  private readonly decode = (payload: Uint8Array): unknown => {
    const { codec, target, options } = this.facts;
    return checkedAnswer(codec.decode(payload), target, options);
  };

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
    if (!this.facts.takesInput) return refused('the call takes no input: give it the option input or inCapacity');
    return closed && refused('the call is over');
  }

  /** Sends what credit allows; when the direction is closed, what still waits has failed. */
  private flush(): void {
    const { input } = this.stream;
    while (this.writes.length > 0 && input.ready) {
      const write = this.writes.shift()!;
      try {
        input.send(write.payload);
        write.resolve();
      } catch (error) {
        write.reject(this.named(error as GridError));
      }
    }
    const { closed } = input;
    if (closed) {
      const error = GridError.is(closed) ? closed : new GridError('FAILED_PRECONDITION', 'write(): the call is over');
      for (const write of this.writes.splice(0)) write.reject(this.named(error));
    } else if (this.inputEnded && this.writes.length === 0) {
      input.end();
    }
  }

  private pump(source: Source): Outflow {
    const { stream, encode } = this;
    const feed = new Outflow({
      outbound: stream.input,
      codec: { encode },
      outBuffer: DEFAULT_OUT_BUFFER,
      ahead: true,
      onEnd: () => stream.input.end(),
      onFail: (thrown) => stream.cancel(inputFailure(thrown)),
      // by the end of the call, or by a handler without input: the call goes on (spec §11, `capacity`)
      onClosed: () => feed.stop(() => {}),
    });
    feed.attach(source);
    return feed;
  }

  private named(error: GridError): GridError {
    if (this.lastError?.bare !== error) {
      this.lastError = { bare: error, named: named(error, this.facts.peer, this.facts.target) };
    }
    return this.lastError.named;
  }
}

/** The source that the option `input` is. @throws GridError INVALID_ARGUMENT for what is none. */
export function inputSource(input: InputSource<unknown>): Source {
  if (isObservable(input)) return new PushSource(input, NOWHERE);
  if (isAsyncIterable(input)) return PullSource.of(input, NOWHERE);
  if (isIterable(input) && !ArrayBuffer.isView(input)) return new PullSource(input[Symbol.iterator](), NOWHERE);
  const text = 'input must be an Iterable, AsyncIterable, Observable or Readable of messages';
  throw new GridError('INVALID_ARGUMENT', text, { notSent: true });
}

function inputFailure(thrown: unknown): GridError {
  if (thrown instanceof UnsendableValue) return unsendable(thrown.thrown, 'a message of the input');
  if (GridError.is(thrown)) return thrown;
  return new GridError('CANCELLED', `the input failed: ${textOf(thrown)}`, { cause: thrown });
}
