import { GridError } from '../errors/index.js';
import type { HeldBytes, Outbound } from '../mux/index.js';
import type { Sink, Source } from './source.js';
import { WaitingValues } from './waiting-values.js';

export interface OutflowPorts {
  readonly outbound: Outbound;
  /** As `Outbound.encode`. */
  encode(value: unknown, waiting: number): Uint8Array;
  /** Values that may wait for credit. */
  readonly outBuffer: number;
  /** The account of the peer whose credit they wait for; left out for what this host sends of its own will. */
  readonly unsent?: HeldBytes;
  /** One value is pulled before its credit is there, so that the end, which needs none, is seen at once (H5). */
  readonly ahead?: boolean;
  /** Everything is sent and the source has ended. */
  onEnd(): void;
  /** Everything before it is sent; then the source threw this, or one of its values could not be sent. */
  onFail(thrown: unknown): void;
  /** What the source's cleanup threw. */
  onCleanupFailed(thrown: unknown): void;
  /** The direction was closed under it. Who learns of it in another way needs none. */
  onClosed?(): void;
}

/** What follows the waiting values: the end, or what the source threw. */
interface Last {
  readonly thrown?: unknown;
  readonly failed: boolean;
}

const END: Last = Object.freeze({ failed: false });

/** Values on their way into one direction of a stream: as many as there are credits, the others wait here. */
export class Outflow implements Sink {
  private source: Source | undefined = undefined;
  /** Made with the first one. */
  private waiting: WaitingValues | undefined = undefined;
  private last: Last | undefined = undefined;
  private over = false;
  /** The source gives nothing any more, and its code has not ended. */
  private stopping = false;
  private onStopped: (() => void) | undefined = undefined;

  constructor(private readonly ports: OutflowPorts) {
    ports.outbound.onReady = () => this.flush();
  }

  /** Takes the source over, `give` gives what it gave before: it is resumed each time a credit is there. */
  attach(source: Source, give?: (flow: this) => void): void {
    this.source = source;
    source.sink = this;
    give?.(this);
    this.flush();
  }

  isReady(): boolean {
    return !this.over && this.last === undefined && this.depth === 0 && (this.ports.ahead || this.ports.outbound.ready);
  }

  value(value: unknown): void {
    if (this.over || this.last) return;
    let payload: Uint8Array;
    try {
      payload = this.ports.encode(value, this.depth);
    } catch (thrown) {
      this.fail(new UnsendableValue(thrown));
      return;
    }
    this.pass(payload);
  }

  /** A value as `encodeToKeep` gave it; none for `undefined`, which is a message like any other here. */
  encoded(payload: Uint8Array | undefined): void {
    if (payload === undefined) this.value(undefined);
    else if (!this.over && !this.last) this.pass(payload);
  }

  end(): void {
    this.finish(END);
  }

  fail(thrown: unknown): void {
    if (this.source && !this.stopping) {
      this.stopping = true;
      this.source.stop(() => {
        this.stopping = false;
        this.onStopped?.();
      });
    }
    this.finish({ failed: true, thrown });
  }

  cleanupFailed(thrown: unknown): void {
    this.ports.onCleanupFailed(thrown);
  }

  /** The call is over: drops what waits and stops the source. `stopped` is called once its code has really ended. */
  stop(stopped: () => void): void {
    this.over = true;
    this.drop();
    this.ports.outbound.onReady = undefined;
    if (this.stopping) this.onStopped = stopped;
    else if (this.source) this.source.stop(stopped);
    else stopped();
  }

  private pass(payload: Uint8Array): void {
    // by the code of the value itself
    if (this.over) return;
    if (this.depth === 0 && this.ports.outbound.ready) this.send(payload);
    // one place at least: a value that was pulled in time may meet a connection that is congested by now
    else if (this.depth < Math.max(1, this.ports.outBuffer)) this.keep(payload);
    else this.fail(overflow(this.ports.outBuffer));
  }

  private get depth(): number {
    return this.waiting === undefined ? 0 : this.waiting.length;
  }

  private keep(payload: Uint8Array): void {
    this.waiting ??= new WaitingValues(this.ports.unsent);
    const refusal = this.waiting.add(payload);
    if (refusal) this.fail(refusal);
  }

  private drop(): void {
    this.waiting?.drop();
    this.waiting = undefined;
  }

  /**
   * For `onFail`: false where all code of the source has ended; else `ended` is called once it has, which for a
   * generator that was broken off is when its cleanup is done.
   */
  awaitSource(ended: () => void): boolean {
    if (this.stopping) this.onStopped = ended;
    return this.stopping;
  }

  private finish(last: Last): void {
    if (this.over || this.last) return;
    this.last = last;
    this.flush();
  }

  private flush(): void {
    if (this.ports.onClosed && this.ports.outbound.closed && !this.over) {
      this.ports.onClosed();
      return;
    }
    while (this.waiting && this.waiting.length > 0 && this.ports.outbound.ready) this.send(this.waiting.shift()!);
    if (this.over || this.depth > 0) return;
    const { last } = this;
    if (last === undefined) {
      this.source?.resume();
      return;
    }
    this.over = true;
    if (last.failed) this.ports.onFail(last.thrown);
    else this.ports.onEnd();
  }

  private send(payload: Uint8Array): void {
    try {
      this.ports.outbound.send(payload);
    } catch (thrown) {
      this.drop();
      this.last = undefined;
      this.fail(thrown);
    }
  }
}

/** A value that the codec would not take: what the codec threw is no word of the application for its caller. */
export class UnsendableValue {
  readonly #thrown: unknown;

  constructor(thrown: unknown) {
    this.#thrown = thrown;
  }

  /** Not by `instanceof`: an application may throw a Proxy that lets nobody look. */
  static is(thrown: unknown): thrown is UnsendableValue {
    return typeof thrown === 'object' && thrown !== null && #thrown in thrown;
  }

  get thrown(): unknown {
    return this.#thrown;
  }
}

function overflow(outBuffer: number): GridError {
  return new GridError(
    'RESOURCE_EXHAUSTED',
    `the Observable is faster than its consumer: more than outBuffer (${outBuffer}) values wait`,
    { reason: 'limit' },
  );
}
