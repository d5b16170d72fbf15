import { verifyIsMetadata } from '../calls/index.js';

/** A payload with what goes beside it, for `ClientProxy.send` and `emit`. Made by `GridRecordBuilder`. */
export class GridRecord<T = unknown> {
  constructor(
    readonly data: T,
    readonly timeoutMs: number | undefined,
    readonly metadata: Readonly<Record<string, string>> | undefined,
  ) {}
}

/** `client.send(60, new GridRecordBuilder(payload).setTimeout(500).setMetadata({ user: 'ann' }).build())`. */
export class GridRecordBuilder<T = unknown> {
  private timeoutMs: number | undefined = undefined;
  private metadata: Record<string, string> | undefined = undefined;

  constructor(private data?: T) {}

  /** The payload, where the constructor was not given it. */
  setData(data: T): this {
    this.data = data;
    return this;
  }

  /** Milliseconds for the whole call; what is no number of them fails the call. Default: as without a record. */
  setTimeout(timeoutMs: number): this {
    this.timeoutMs = timeoutMs;
    return this;
  }

  /** Adds to what was set before. @throws GridError INVALID_ARGUMENT for what is no object of strings: a Map, say. */
  setMetadata(metadata: Readonly<Record<string, string>>): this {
    verifyIsMetadata(metadata);
    this.metadata = { ...this.metadata, ...metadata };
    return this;
  }

  /** What `send` and `emit` take; the builder itself is refused. */
  build(): GridRecord<T> {
    return new GridRecord(this.data as T, this.timeoutMs, this.metadata);
  }
}
