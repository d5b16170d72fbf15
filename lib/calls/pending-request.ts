import type { GridError } from '../errors/index.js';
import type { RequestListener } from '../mux/index.js';
import type { Metadata } from '../wire/index.js';
import { named, unreadableAnswer } from './call-error.js';
import { tellMetadata, type CallOptions } from './call-options.js';
import { decodeOptional, type Codec } from './codec.js';
import { checkedAnswer } from './contract-check.js';
import type { Target } from './target.js';

const nobody = (): void => {};
let resolveNext: (value: unknown) => void = nobody;
let rejectNext: (error: GridError) => void = nobody;

/** One for all Promises: one of its own, with all that it would see, is a tenth of the memory of a call. */
function settlers(resolve: (value: unknown) => void, reject: (error: GridError) => void): void {
  resolveNext = resolve;
  rejectNext = reject;
}

/** A request that waits for its answer: all that a call costs beside its Promise. */
export class PendingRequest implements RequestListener {
  readonly answer = new Promise<unknown>(settlers);
  /** Takes the listener off the caller's signals. */
  forget: (() => void) | undefined = undefined;

  // of the Promise that was made last
  private readonly resolve = resolveNext;
  private readonly reject = rejectNext;

  constructor(
    private readonly codec: Codec,
    private readonly peer: string,
    private readonly target: Target,
    private readonly options: CallOptions | undefined,
  ) {
    // they hold the Promise, and that its answer: it must not stay until the next request
    resolveNext = rejectNext = nobody;
  }

  onResponse(payload: Uint8Array | undefined, metadata: Metadata | undefined): void {
    this.over(metadata);
    let value: unknown;
    try {
      value = checkedAnswer(decodeOptional(this.codec, payload), this.target, this.options);
    } catch (thrown) {
      this.reject(named(unreadableAnswer(thrown), this.peer, this.target));
      return;
    }
    this.resolve(value);
  }

  onError(error: GridError, metadata: Metadata | undefined): void {
    this.over(metadata);
    this.reject(named(error, this.peer, this.target));
  }

  private over(metadata: Metadata | undefined): void {
    this.forget?.();
    if (metadata) tellMetadata(this.options, metadata);
  }
}
