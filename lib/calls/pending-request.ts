import type { GridError } from '../errors/index.js';
import type { RequestListener } from '../mux/index.js';
import type { Metadata } from '../wire/index.js';
import { named, unreadableAnswer } from './call-error.js';
import { tellMetadata, type CallOptions } from './call-options.js';
import { decodeOptional, type Codec } from './codec.js';
import { checkedAnswer } from './contract-check.js';
import type { Target } from './target.js';

/** A request that waits for its answer: all that a call costs beside its Promise. */
export class PendingRequest implements RequestListener {
  /** Takes the listener off the caller's signals. */
  forget: (() => void) | undefined;

  constructor(
    private readonly resolve: (value: unknown) => void,
    private readonly reject: (error: GridError) => void,
    private readonly codec: Codec,
    private readonly peer: string,
    private readonly target: Target,
    private readonly options: CallOptions | undefined,
  ) {}

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
