import type { Clock } from '../time/index.js';

/** Where a fault strikes: after so many more bytes, counted over all connections from the moment it is set. */
export interface TcpFaultPoint {
  readonly afterBytes: number;
}

/** How a connection breaks: both sides get a FIN, or both get a RST. */
export type TcpBreak = 'cut' | 'reset';

/** One direction of one connection, as its way sees it. */
export interface TcpTraveller {
  /** Ends the connection, both ways. */
  break(how: TcpBreak): void;
  /** Something was set or healed: goes on as far as it may. */
  pump(): void;
}

/** Bytes that may pass now, and what becomes of the connection once they have. */
export interface TcpPassage {
  readonly bytes: Buffer;
  readonly swallowed: boolean;
  readonly strikes: TcpBreak | undefined;
}

interface Breaking {
  readonly how: TcpBreak;
  readonly atByte: number;
}

interface Flip {
  readonly atByte: number;
  readonly mask: number;
}

/** A limited way passes what fits this time at once. */
const BURST_MS = 10;

/**
 * One direction of a `TcpFaultProxy`: all that one side sends to the other, over all connections. What is set stays set
 * until `heal()` or until it has struck; it can be set and changed while bytes travel.
 */
export class TcpWay {
  private readonly travellers = new Set<TcpTraveller>();
  private breakings: Breaking[] = [];
  private flips: Flip[] = [];
  private passed = 0;
  private delayMs = 0;
  private jitterMs = 0;
  private bytesPerMs = Infinity;
  /** When a limited way may pass more (`clock.now()`). */
  private freeAt = 0;
  private segment = Infinity;
  private state: 'open' | 'stalled' | 'swallowing' = 'open';

  constructor(private readonly clock: Clock) {}

  /** Bytes that have passed so far. */
  get bytes(): number {
    return this.passed;
  }

  /** Faults that have not struck yet. */
  get armed(): number {
    return this.breakings.length + this.flips.length;
  }

  /** What is sent from now on arrives so many milliseconds later, and up to `jitterMs` more, in order. */
  delay(ms: number, jitterMs = 0): void {
    this.delayMs = ms;
    this.jitterMs = jitterMs;
  }

  /** No more than this passes in a second. */
  limit(bytesPerSecond: number): void {
    this.bytesPerMs = bytesPerSecond / 1_000;
    this.wake();
  }

  /** Passes on segments of at most so many bytes, each in a write of its own, without Nagle's delay. */
  slice(bytes = 1): void {
    this.segment = bytes;
    this.wake();
  }

  /** A black hole, as a network that loses every packet: nothing passes, an end neither, and the sender gets stuck. */
  stall(): void {
    this.state = 'stalled';
  }

  /** A black hole that the sender does not notice: its bytes are taken and lost for ever. */
  swallow(): void {
    this.state = 'swallowing';
    this.wake();
  }

  /** Ends the connections by a FIN to both sides; with a point, the one whose byte it is, after that byte. */
  cut(point?: TcpFaultPoint): void {
    this.break('cut', point);
  }

  /** The same by a RST. */
  reset(point?: TcpFaultPoint): void {
    this.break('reset', point);
  }

  /** Flips a bit, 0 to 7, of the byte after the point. */
  corrupt({ afterBytes }: TcpFaultPoint, bit = 0): void {
    this.flips.push({ atByte: this.passed + afterBytes, mask: 1 << bit });
  }

  /** Takes back whatever was set. What a stall or a delay held goes on; what was swallowed does not. */
  heal(): void {
    this.breakings = [];
    this.flips = [];
    this.delayMs = 0;
    this.jitterMs = 0;
    this.bytesPerMs = Infinity;
    this.segment = Infinity;
    this.state = 'open';
    this.wake();
  }

  /** @internal */
  join(traveller: TcpTraveller): void {
    this.travellers.add(traveller);
  }

  /** @internal */
  leave(traveller: TcpTraveller): void {
    this.travellers.delete(traveller);
  }

  /** @internal Each segment is written before the next one is looked at. */
  get sliced(): boolean {
    return this.segment !== Infinity;
  }

  /** @internal */
  get stalled(): boolean {
    return this.state === 'stalled';
  }

  /** @internal When what is sent now may pass. */
  dueAt(): number {
    return this.clock.now() + this.delayMs + this.jitterMs * this.clock.random();
  }

  /** @internal Milliseconds for which nothing may pass. */
  get waitMs(): number {
    return this.bytesPerMs === Infinity ? 0 : Math.max(0, this.freeAt - this.clock.now());
  }

  /** @internal Takes from the front of these bytes what may pass now, and counts it. */
  pass(bytes: Buffer): TcpPassage {
    const breaking = this.breakings.toSorted((a, b) => a.atByte - b.atByte)[0];
    const room = breaking ? breaking.atByte - this.passed : Infinity;
    const burst = Math.max(1, Math.floor(this.bytesPerMs * BURST_MS));
    const length = Math.max(0, Math.min(bytes.length, room, this.segment, burst));
    const passing = this.flipped(bytes.subarray(0, length));
    this.passed += length;
    this.freeAt = this.clock.now() + length / this.bytesPerMs;
    const strikes = breaking !== undefined && breaking.atByte <= this.passed;
    if (strikes) this.breakings = this.breakings.filter((one) => one !== breaking);
    return { bytes: passing, swallowed: this.state === 'swallowing', strikes: strikes ? breaking.how : undefined };
  }

  /** A copy where a bit is flipped: the recorded bytes stay those that were sent. */
  private flipped(bytes: Buffer): Buffer {
    const end = this.passed + bytes.length;
    const striking = this.flips.filter(({ atByte }) => atByte < end);
    if (striking.length === 0) return bytes;
    this.flips = this.flips.filter(({ atByte }) => atByte >= end);
    const copy = Buffer.from(bytes);
    for (const { atByte, mask } of striking) copy[atByte - this.passed]! ^= mask;
    return copy;
  }

  private break(how: TcpBreak, point: TcpFaultPoint | undefined): void {
    if (point) this.breakings.push({ how, atByte: this.passed + point.afterBytes });
    else for (const traveller of this.travellers) traveller.break(how);
  }

  private wake(): void {
    for (const traveller of this.travellers) traveller.pump();
  }
}
