import { BaseRpcContext } from '@nestjs/microservices';
import { OWN_CONTEXT, type CallContext, type OwnContext, type ParentCall } from '../calls/index.js';

// what a call is stands in the fields below, so all contexts share one empty list
const NO_ARGS: [] = [];

/** What a handler knows of the call that it answers: `@Ctx() context: GridContext`. */
export class GridContext extends BaseRpcContext<[]> implements ParentCall {
  constructor(private readonly call: CallContext) {
    super(NO_ARGS);
  }

  /** @internal */
  get callContext(): CallContext {
    return this.call;
  }

  /** @internal */
  get [OWN_CONTEXT](): OwnContext {
    return this.call;
  }

  /** Origin of the host that called. */
  get peer(): string {
    return this.call.peer;
  }

  /** 1 to 253; 255 for patterns that are no handler ID. */
  get handlerId(): number {
    return this.call.handlerId;
  }

  /** The handler's subroute; of a pattern that is no handler ID its text; undefined where there is none. */
  get subroute(): string | undefined {
    return this.call.subroute;
  }

  /** The pattern as text: `60`, `60/disk1`, or what Nest makes of any other pattern. */
  getPattern(): string {
    return this.call.pattern;
  }

  /**
   * Aborted with the call's GridError when the caller cancels, the deadline passes, the connection is lost or this
   * host shuts down. Of an event never: it was answered before it ran.
   */
  get signal(): AbortSignal {
    return this.call.signal;
  }

  /** When the caller gives up, on this host's clock; undefined: never. */
  get deadline(): Date | undefined {
    return this.call.deadline;
  }

  /**
   * The caller's messages; handlers take them by `@GridInput()`.
   * @throws GridError FAILED_PRECONDITION for a handler that takes no input.
   */
  get input(): AsyncIterable<unknown> {
    return this.call.input;
  }

  /** What the caller sent along; empty where the peer cannot carry it. */
  getMetadata(): Readonly<Record<string, string>> {
    return this.call.getMetadata();
  }

  /**
   * Sent with the answer or the end of the stream, where the connection can carry it.
   * @throws GridError INTERNAL for what is no string and for the key `grid-error`, RESOURCE_EXHAUSTED past 8,192 bytes.
   */
  setResponseMetadata(key: string, value: string): void {
    this.call.setResponseMetadata(key, value);
  }

  /** What a log makes of it: not what the caller sent along, and nothing of the connection. */
  toJSON(): ReturnType<CallContext['toJSON']> {
    return this.call.toJSON();
  }
}
