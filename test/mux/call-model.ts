// What a call may and may not do, whatever happens to it: the small model that property tests compare with.
import { GridError } from '../../lib/errors/index.js';
import type { CallerStream, HandlerStream, IncomingRequest, OutgoingRequest } from '../../lib/mux/index.js';
import { bytes, text } from './solo-mux.js';

export const CANCELLED = new GridError('CANCELLED', 'context canceled');
export const FAILED = new GridError('ABORTED', 'handler failed');

/** What happened to a call and explains how it ended. */
export interface Causes {
  /** On the clock; undefined: it has no deadline. */
  readonly deadlineAt: number | undefined;
  cancelled: boolean;
  handlerFailed: boolean;
  /** Its connection is gone. */
  cut: boolean;
  /** A ping may have gone unanswered for too long: messages were held. */
  silent: boolean;
}

/** Why this error cannot be the end of a call with these causes; undefined where it can. */
function unexplained(error: GridError, causes: Causes, now: number): string | undefined {
  const explained: Partial<Record<string, boolean>> = {
    CANCELLED: causes.cancelled,
    DEADLINE_EXCEEDED: causes.deadlineAt !== undefined && causes.deadlineAt <= now,
    ABORTED: causes.handlerFailed,
    // towards a peer without the extension `error` only the text travels
    UNKNOWN: causes.handlerFailed && error.message === FAILED.message,
    UNAVAILABLE: causes.cut || causes.silent,
  };
  return explained[error.code] ? undefined : `nothing explains ${error.code}: ${error.message}`;
}

/** One direction of a stream: who sends puts into `sent`, who takes into `taken`. */
export class Direction {
  readonly sent: string[] = [];
  readonly taken: string[] = [];
  /** The sender has said cleanly that this was all. */
  ended = false;

  constructor(
    private readonly name: string,
    private readonly capacity: number,
  ) {}

  sendTo(half: { readonly ready: boolean; send(payload: Uint8Array): void } | undefined, count: number): void {
    for (let i = 0; i < count && half?.ready; i++) {
      const item = `${this.name} ${this.sent.length}`;
      this.sent.push(item);
      half.send(bytes(item));
    }
  }

  takeFrom(half: { take(): Uint8Array | undefined } | undefined, count: number): void {
    for (let i = 0; i < count; i++) {
      const item = half?.take();
      if (item === undefined) return;
      this.taken.push(text(item) ?? '');
    }
  }

  /** What is wrong now, if anything is. */
  get lie(): string | undefined {
    if (this.taken.some((item, index) => item !== this.sent[index])) return `${this.name}: no prefix of what was sent`;
    const ahead = this.sent.length - this.taken.length;
    return ahead > this.capacity ? `${this.name}: ${ahead} ahead of the reader, ${this.capacity} allowed` : undefined;
  }

  get complete(): boolean {
    return this.ended && this.taken.length === this.sent.length;
  }
}

/** A stream at both of its ends. */
export class StreamModel {
  caller!: CallerStream;
  handler: HandlerStream | undefined;
  readonly overs: (GridError | undefined)[] = [];
  readonly aborts: GridError[] = [];
  readonly output: Direction;
  readonly input: Direction;
  private handlerDone = false;

  constructor(
    readonly causes: Causes,
    inCapacity: number,
    outCapacity: number,
  ) {
    this.output = new Direction('out', outCapacity);
    this.input = new Direction('in', inCapacity);
  }

  openedBy(caller: CallerStream): void {
    this.caller = caller;
    caller.onOver = (error) => void this.overs.push(error);
  }

  startedAt(handler: HandlerStream): void {
    if (this.handler) throw new Error('a stream was started twice');
    this.handler = handler;
    handler.onAbort = (error) => void this.aborts.push(error);
  }

  endInput(): void {
    if (this.caller.input.closed) return;
    this.input.ended = true;
    this.caller.input.end();
  }

  /** The handler's function ends, well or not; as its `finally` it runs once, after an abort too. */
  endHandler(error?: GridError): void {
    if (!this.handler || this.handlerDone) return;
    this.handlerDone = true;
    if (error) {
      // of a call that is over already nobody hears it
      this.causes.handlerFailed = true;
      this.handler.output.fail(error);
      return;
    }
    if (!this.handler.output.closed) this.output.ended = true;
    this.handler.output.end();
  }

  cancel(error: GridError): void {
    if (!this.caller.over) this.causes.cancelled = true;
    this.caller.cancel(error);
  }

  get running(): boolean {
    return this.handler !== undefined && !this.handlerDone;
  }

  /** What is wrong now, if anything is. */
  get lie(): string | undefined {
    const { output, input, overs, aborts } = this;
    if (overs.length > 1) return `${overs.length} ends`;
    if (aborts.length > 1) return `${aborts.length} aborts`;
    if (aborts.length > 0 && this.handler?.output.ready) return 'aborted, and may still send';
    return output.lie ?? input.lie;
  }

  /** What is wrong once its connection is gone, its handler has ended and all was taken. */
  lieAtTheEnd(now: number): string | undefined {
    const { caller, handler, overs, aborts, output, input } = this;
    if (overs.length !== 1 || !caller.output.end) return `${overs.length} ends`;
    const [error] = overs;
    if (caller.output.end.error !== error) return 'two different ends';
    if (!error && !output.complete) return 'a clean end, but not all arrived';
    if (error?.notSent && handler) return 'notSent, but it ran';
    if (error) return unexplained(error, this.causes, now);
    if (!handler) return 'a clean end of what never ran';
    const inputEnd = handler.input.end;
    if (!inputEnd) return 'the handler waits for input for ever';
    if (!inputEnd.error && input.ended && !input.complete) return 'the input ended cleanly, but not all arrived';
    if (!inputEnd.error && !input.ended && this.causes.cut && aborts.length > 0) return 'cut input looks like its end';
    return undefined;
  }
}

/** A single request at both of its ends. */
export class RequestModel {
  call!: OutgoingRequest;
  handled: IncomingRequest | undefined;
  readonly ends: (string | GridError)[] = [];
  readonly aborts: GridError[] = [];
  private answer: string | undefined;
  private handlerDone = false;

  constructor(
    readonly causes: Causes,
    private readonly name: string,
  ) {}

  startedAt(handled: IncomingRequest): void {
    if (this.handled) throw new Error('a request was started twice');
    this.handled = handled;
    handled.onAbort = (error) => void this.aborts.push(error);
  }

  endHandler(error?: GridError): void {
    if (!this.handled || this.handlerDone) return;
    this.handlerDone = true;
    if (error) {
      this.causes.handlerFailed = true;
      this.handled.fail(error);
      return;
    }
    this.answer = `answer ${this.name}`;
    this.handled.respond(bytes(this.answer));
  }

  cancel(error: GridError): void {
    if (this.ends.length === 0) this.causes.cancelled = true;
    this.call.cancel(error);
  }

  get running(): boolean {
    return this.handled !== undefined && !this.handlerDone;
  }

  get lie(): string | undefined {
    if (this.ends.length > 1) return `${this.ends.length} ends`;
    return this.aborts.length > 1 ? `${this.aborts.length} aborts` : undefined;
  }

  lieAtTheEnd(now: number): string | undefined {
    if (this.ends.length !== 1) return `${this.ends.length} ends`;
    const [end] = this.ends as [string | GridError];
    if (typeof end === 'string') return end === this.answer ? undefined : `the answer of another: ${end}`;
    if (end.notSent && this.handled) return 'notSent, but it ran';
    return unexplained(end, this.causes, now);
  }
}
