import { GridError } from '../errors/index.js';
import type { Metadata } from '../wire/index.js';
import type { Outbox } from './outbox.js';
import { encodeToKeep, type PayloadEncoder } from './payload-encoder.js';

export interface OutboundPorts {
  readonly outbox: Outbox;
  /** Writes one message of this direction; it was paid for. */
  readonly emit: (payload: Uint8Array) => void;
  /** Writes the end, when it is due. */
  readonly emitEnd: (error: GridError | undefined, metadata: Metadata | undefined) => void;
  /** The error for a payload that may not be sent, undefined if it may. */
  readonly refuse: (payload: Uint8Array) => GridError | undefined;
  /** A payload was refused: the call has to end with this error (spec §11, `Max`). */
  readonly onRefused: (error: GridError) => void;
  /** `end` or `fail` was called, maybe again, maybe after the call was over. */
  readonly onFinished?: () => void;
  /** A credit came that no capacity covers. */
  readonly onExcess: () => void;
  /** True at the handler side, whose end costs a credit; a caller's end of input goes out at once (H5). */
  readonly endCostsCredit: boolean;
}

/** What is left to say in this direction. */
type State =
  | { readonly kind: 'opening'; readonly ending: boolean }
  | { readonly kind: 'open' }
  | { readonly kind: 'ending'; readonly error: GridError | undefined; readonly metadata: Metadata | undefined }
  | { readonly kind: 'closed'; readonly why: GridError | 'ended' };

// streams are many: what carries nothing of its own is shared by all of them
const OPENING: State = Object.freeze({ kind: 'opening', ending: false });
const OPEN: State = Object.freeze({ kind: 'open' });
const ENDED: State = Object.freeze({ kind: 'closed', why: 'ended' });

/** One direction's sending: credits, and the end after the last message. */
export class Outbound {
  /** Called when `ready` may have become true, and when the direction has closed. */
  onReady: (() => void) | undefined = undefined;

  private state = OPENING;
  private credit = 0;
  private capacity = 0;
  private forgetDrain: (() => void) | undefined = undefined;

  constructor(private readonly ports: OutboundPorts) {}

  /** Messages that may still be sent before the peer gives a credit back. */
  get credits(): number {
    return this.credit;
  }

  /** Messages that the peer has not taken yet, as far as its credits tell. */
  get unacknowledged(): number {
    return this.capacity - this.credit;
  }

  /** Open, and nothing may be sent before the peer gives a credit back. */
  get starved(): boolean {
    return this.state.kind === 'open' && this.credit === 0;
  }

  /**
   * True iff `send` may be called now: the direction is open, a credit is there and the connection is not crowded.
   * Who was told false is called at `onReady`.
   */
  get ready(): boolean {
    if (this.state.kind !== 'open' || this.credit === 0) return false;
    if (!this.ports.outbox.crowded) return true;
    this.forgetDrain ??= this.ports.outbox.onDrain(() => {
      this.forgetDrain = undefined;
      this.onReady?.();
    });
    return false;
  }

  /** Why nothing more can be sent: `'ended'` by this end itself, or the error that ended the call. */
  get closed(): GridError | 'ended' | undefined {
    switch (this.state.kind) {
      case 'opening':
        return this.state.ending ? 'ended' : undefined;
      case 'open':
        return undefined;
      case 'ending':
        return 'ended';
      case 'closed':
        return this.state.why;
    }
  }

  /**
   * A value as a payload: to be sent at once where this is `ready` then and no others are `waiting`, see
   * `Outbox.encode`, else to be kept, in memory that nobody else writes to.
   */
  encode(value: unknown, codec: PayloadEncoder, waiting: number): Uint8Array {
    if (waiting > 0 || !this.ready) return encodeToKeep(value, codec);
    const payload = this.ports.outbox.encode(value, codec);
    // a getter of the value may have used the credit
    return this.ready ? payload : Buffer.from(payload);
  }

  /**
   * Sends one message for one credit. To be called only while `ready`.
   * @throws GridError OUT_OF_RANGE for a payload over `messageBytes` or over the peer's `Max`: the call ends with it.
   * @throws GridError FAILED_PRECONDITION when not `ready`.
   */
  send(payload: Uint8Array): void {
    if (this.state.kind !== 'open' || this.credit === 0) {
      throw new GridError('FAILED_PRECONDITION', 'send() without a credit: wait for ready');
    }
    const refusal = this.ports.refuse(payload);
    if (refusal) {
      this.ports.onRefused(refusal);
      throw refusal;
    }
    this.credit--;
    this.ports.emit(payload);
  }

  /**
   * No more messages. At the handler side the end waits for a credit by itself, and may take metadata along. Later
   * calls do nothing.
   */
  end(metadata?: Metadata): void {
    this.ports.onFinished?.();
    this.finish(undefined, metadata);
  }

  /** Ends with an error; handler side only. Waits for a credit like `end`. */
  fail(error: GridError, metadata?: Metadata): void {
    this.ports.onFinished?.();
    this.finish(error, metadata);
  }

  /**
   * The peer has accepted: so many messages may be unacknowledged.
   * @internal
   */
  open(capacity: number): void {
    if (this.state.kind !== 'opening') return;
    const { ending } = this.state;
    this.capacity = capacity;
    this.credit = capacity;
    this.enter(OPEN);
    if (ending) this.finish(undefined);
    else this.onReady?.();
  }

  /**
   * One credit came back. Above the capacity it is dropped and counted (spec §6).
   * @internal
   */
  grant(): void {
    if (this.state.kind === 'closed') return;
    if (this.credit >= this.capacity) {
      this.ports.onExcess();
      return;
    }
    this.credit++;
    if (this.state.kind === 'ending') this.finish(this.state.error, this.state.metadata);
    else this.onReady?.();
  }

  /**
   * The call is over: nothing more is sent.
   * @internal
   */
  close(why: GridError | 'ended'): void {
    if (this.state.kind === 'closed') return;
    this.enter(why === 'ended' ? ENDED : { kind: 'closed', why });
    this.onReady?.();
  }

  /**
   * The direction has said all; the end goes out when its credit is there.
   * @internal
   */
  finish(error: GridError | undefined, metadata?: Metadata): void {
    switch (this.state.kind) {
      case 'closed':
        return;
      case 'opening':
        this.enter({ kind: 'opening', ending: true });
        return;
      case 'ending':
      case 'open':
        if (this.ports.endCostsCredit && this.credit === 0) {
          if (this.state.kind === 'open') this.enter({ kind: 'ending', error, metadata });
          return;
        }
        this.enter(ENDED);
        this.ports.emitEnd(error, metadata);
        this.onReady?.();
    }
  }

  private enter(next: State): void {
    this.state = next;
    if (next.kind === 'closed') {
      this.credit = 0;
      this.forgetDrain?.();
      this.forgetDrain = undefined;
    }
  }
}

/** A direction in which nothing is ever sent: the input of a call that was opened without. */
export function closedOutbound(ports: OutboundPorts): Outbound {
  const outbound = new Outbound(ports);
  outbound.close('ended');
  return outbound;
}
