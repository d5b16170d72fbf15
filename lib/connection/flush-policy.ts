import type { Clock } from '../time/index.js';

/** The most messages that the second frame of a turn takes; each later one takes twice as many as the one before. */
const FIRST_BATCH = 16;

/**
 * The fewest. So many also leave when a received frame was handled; for fewer a system call costs more than it gains.
 */
const LEAST_BATCH = 4;

/** So many calls of ours, or messages of our last turn, are work for the peer for as long as a turn of ours takes. */
const CALLS_AT_PEER = 8;
const MESSAGES_AT_PEER = 16;

/** Messages that the first frame takes where nothing leaves at once. */
const HELD_BATCH = 64;

/**
 * Messages of a turn from which on it is a busy one: both ends have enough to do, and the next turn saves system calls
 * by full frames behind its first message.
 */
const BUSY_TURN = 96;

/** A turn of so many milliseconds is a long one: in the next, nobody is kept waiting for its end. */
const LONG_TURN_MS = 1;

export interface FlushPolicyPorts {
  readonly clock: Clock;
  /** Calls of this end that are open. */
  readonly calls: () => number;
  /** Milliseconds that the event loop has slept so far, 0: not known. */
  readonly sleptMs: () => number;
}

/**
 * When the messages of a turn of the event loop leave. What leaves early lets the peer work meanwhile, and takes a
 * system call of its own. So where the loop has no time to spare, for it never sleeps, and the peer has enough to work
 * on, everything leaves at the end of a turn, as long as turns are short.
 */
export class FlushPolicy {
  /** So many messages are a frame that need not wait. Infinity: a full one. */
  private batch = FIRST_BATCH;
  private held = false;
  private sleptMs = 0;
  /** When the turn began, where it matters how long it takes. */
  private beganAt: number | undefined = undefined;
  private afterLongTurn = false;
  /** Of the last turn. */
  private lastMessages = 0;

  constructor(private readonly ports: FlushPolicyPorts) {}

  /** A turn begins. True: its first message leaves at once. */
  beginTurn(): boolean {
    this.held = this.batch !== Infinity && this.peerIsBusy() && this.loopIsBusy();
    if (this.held) this.batch = HELD_BATCH;
    return !this.held;
  }

  /** True: a frame of so many messages leaves before the end of the turn. */
  isBatch(messages: number): boolean {
    if (messages < this.batch) return false;
    this.batch *= 2;
    return true;
  }

  /** True: so many messages leave when the received frame is handled that led to them. */
  isAnswer(messages: number): boolean {
    return !this.held && this.batch !== Infinity && messages >= LEAST_BATCH;
  }

  /** The turn is over, and had so many messages. */
  endTurn(messages: number): void {
    this.lastMessages = messages;
    if (this.beganAt !== undefined) this.afterLongTurn = this.ports.clock.now() - this.beganAt >= LONG_TURN_MS;
    this.beganAt = undefined;
    this.batch = this.batchAfter(messages);
  }

  private peerIsBusy(): boolean {
    return this.lastMessages >= MESSAGES_AT_PEER || this.ports.calls() >= CALLS_AT_PEER;
  }

  /** True: the loop has not slept since the last time that this was asked, and its turns are short. */
  private loopIsBusy(): boolean {
    const before = this.sleptMs;
    this.sleptMs = this.ports.sleptMs();
    if (this.sleptMs !== before || before === 0) return false;
    this.beganAt = this.ports.clock.now();
    return !this.afterLongTurn;
  }

  /**
   * The batch of the turn that follows one of so many messages. Where few calls are open, all of their answers come in
   * one turn, and all that follow them would go in one: each end would wait while the other works. So half of them go
   * first.
   */
  private batchAfter(messages: number): number {
    if (messages >= BUSY_TURN) return Infinity;
    const calls = this.ports.calls();
    if (calls === 0) return FIRST_BATCH;
    return Math.min(FIRST_BATCH, Math.max(LEAST_BATCH, calls >> 1, messages >> 1));
  }
}
