/**
 * Hands chunks from one writer to one reader, one at a time: `write` resolves when the reader asks for the next one,
 * so that the slower side sets the pace and nothing piles up.
 */
export class ChunkPipe implements AsyncIterable<Uint8Array> {
  private slot: { chunk: Uint8Array; taken: PromiseWithResolvers<void> } | undefined;
  private waiting: PromiseWithResolvers<void> | undefined;
  private over: { error: Error | undefined } | undefined;

  /** Resolves when the chunk was taken; rejects when the pipe failed or the reader went away. One at a time. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.over) throw this.over.error ?? new Error('written to after the end');
    const taken = withResolvers<void>();
    this.slot = { chunk, taken };
    this.wake();
    await taken.promise;
  }

  /** No more chunks: the reader sees a clean end. */
  end(): void {
    this.over ??= { error: undefined };
    this.wake();
  }

  /** The reader sees this error instead of an end, and so does a waiting writer. */
  fail(error: Error): void {
    this.over ??= { error };
    this.slot?.taken.reject(error);
    this.slot = undefined;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        if (this.slot) {
          yield this.slot.chunk;
          this.slot?.taken.resolve();
          this.slot = undefined;
        } else if (this.over) {
          if (this.over.error) throw this.over.error;
          return;
        } else {
          this.waiting = withResolvers<void>();
          await this.waiting.promise;
        }
      }
    } finally {
      // the reader stopped early: a writer that waits must not wait for ever
      this.fail(new Error('the reader went away'));
    }
  }

  private wake(): void {
    this.waiting?.resolve();
    this.waiting = undefined;
  }
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
}

// Promise.withResolvers came with Node 22
function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
