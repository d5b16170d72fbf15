import { GridError } from '../errors/index.js';
import { GRID_ERROR_KEY } from '../mux/index.js';
import type { Clock } from '../time/index.js';
import { LONE_SURROGATE, METADATA_BYTES, metadataSize, type Metadata } from '../wire/index.js';
import type { ParentCall } from './call-options.js';
import type { HandlerSpec } from './handler-spec.js';
import { Line } from './line.js';
import { OWN_CONTEXT, type OwnContext } from './own-context.js';

/** What a context needs of its call: a request or a stream of the mux. */
export interface AbortableCall {
  readonly deadlineAt: number | undefined;
  readonly aborted: GridError | undefined;
  readonly metadata: Metadata | undefined;
  onAbort: ((error: GridError) => void) | undefined;
}

/** What all contexts of one handler for one peer share. */
export interface ContextFacts {
  /** Origin of the host that called. */
  readonly peer: string;
  readonly handlerId: number;
  /** The handler's static subroute. */
  readonly subroute: string | undefined;
  /** For texts: the pattern as it was registered. */
  readonly pattern: string;
  readonly clock: Clock;
}

/** What a handler knows of the call that it answers. */
export class CallContext<In = unknown> implements ParentCall {
  private controller: AbortController | undefined = undefined;
  private abortedBy: GridError | undefined = undefined;
  /** Calls that are made inside this one. */
  private inner: Line<(error: GridError) => void> | undefined = undefined;
  private answerMetadata: Record<string, string> | undefined = undefined;

  /**
   * @internal
   * @param messages The caller's messages, for a handler that takes input.
   */
  constructor(
    private readonly facts: ContextFacts,
    private readonly call: AbortableCall,
    private readonly messages?: AsyncIterable<unknown>,
  ) {}

  /** Origin of the host that called. */
  get peer(): string {
    return this.facts.peer;
  }

  /** 1 to 253; 255 for patterns that are no handler ID. */
  get handlerId(): number {
    return this.facts.handlerId;
  }

  /** The handler's subroute; of a pattern that is no handler ID its text; undefined where there is none. */
  get subroute(): string | undefined {
    return this.facts.subroute;
  }

  /** The handler's pattern, for texts. */
  get pattern(): string {
    return this.facts.pattern;
  }

  /**
   * Aborted with the call's GridError when the caller cancels, the deadline passes, the connection is lost or this
   * host shuts down; also when the call failed by a value that cannot be sent, while the handler's code runs on. Of an
   * event never: it was answered before it ran.
   */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.aborted) this.controller.abort(this.aborted);
      else this.listen();
    }
    return this.controller.signal;
  }

  /** @internal */
  get [OWN_CONTEXT](): OwnContext {
    return this;
  }

  /** @internal */
  get aborted(): GridError | undefined {
    return this.abortedBy ?? this.call.aborted;
  }

  /** @internal */
  onceAborted(listener: (error: GridError) => void): () => void {
    this.listen();
    const line = (this.inner ??= new Line());
    const place = line.add(listener);
    return () => void line.remove(place);
  }

  /** When the caller gives up, on this host's clock; undefined: never. */
  get deadline(): Date | undefined {
    const { deadlineAt } = this.call;
    if (deadlineAt === undefined) return undefined;
    return new Date(this.facts.clock.date() + deadlineAt - this.facts.clock.now());
  }

  /**
   * The caller's messages, decoded, for one reader. Cut input throws the call's error: it never looks like its end. A
   * credit goes back to the caller as each message is taken; not reading at all is fine.
   * @throws GridError FAILED_PRECONDITION for a handler that takes no input.
   */
  get input(): AsyncIterable<In> {
    // what the contract says of it, or nothing
    if (this.messages) return this.messages as AsyncIterable<In>;
    throw new GridError('FAILED_PRECONDITION', `handler ${this.pattern} takes no input: give it an inCapacity`);
  }

  /** What the caller sent along; empty where the connection cannot carry it. */
  getMetadata(): Metadata {
    return this.call.metadata ?? NONE;
  }

  /**
   * Sent with the answer or the end of the stream, where the connection can carry it.
   * @throws GridError INTERNAL for what is no string and for the key `grid-error`, RESOURCE_EXHAUSTED past 8,192 bytes.
   */
  setResponseMetadata(key: string, value: string): void {
    // no prototype: each key is just a key
    const metadata = Object.assign(Object.create(null) as Record<string, string>, this.answerMetadata);
    metadata[key] = value;
    checkResponseMetadata(metadata, key, value);
    this.answerMetadata = metadata;
  }

  /** What a log makes of it: not what the caller sent along, and nothing of the connection. */
  toJSON(): Pick<CallContext, 'peer' | 'handlerId' | 'subroute' | 'pattern' | 'deadline'> {
    const { peer, handlerId, subroute, pattern, deadline } = this;
    return { peer, handlerId, subroute, pattern, deadline };
  }

  /** @internal */
  get responseMetadata(): Metadata | undefined {
    return this.answerMetadata;
  }

  /** @internal */
  abort(error: GridError): void {
    this.abortedBy = error;
    this.controller?.abort(error);
    const { inner } = this;
    for (let tell = inner?.shift(); tell; tell = inner?.shift()) tell(error);
  }

  /** Who answers the call listens already, and hands the abort on. */
  private listen(): void {
    this.call.onAbort ??= (error) => this.abort(error);
  }
}

const NONE: Metadata = Object.freeze({});

/** Here and not at the answer: it is the handler's mistake, and the caller must get an answer all the same. */
function checkResponseMetadata(metadata: Metadata, key: unknown, value: unknown): void {
  const call = 'setResponseMetadata()';
  if (![key, value].every((text) => typeof text === 'string' && !LONE_SURROGATE.test(text))) {
    throw new GridError('INTERNAL', `${call}: key and value must be strings that UTF-8 can hold`);
  }
  if (key === GRID_ERROR_KEY) {
    throw new GridError('INTERNAL', `${call}: the key ${GRID_ERROR_KEY} is the protocol's own`);
  }
  const bytes = metadataSize(metadata);
  if (bytes <= METADATA_BYTES) return;
  const text = `${call}: metadata of ${bytes} bytes is over the ${METADATA_BYTES} bytes that an answer may carry`;
  throw new GridError('RESOURCE_EXHAUSTED', text, { reason: 'limit' });
}

export function contextFacts(peer: string, { route }: HandlerSpec, clock: Clock): ContextFacts {
  return { peer, handlerId: route.handler, subroute: route.subroute, pattern: route.name, clock };
}
