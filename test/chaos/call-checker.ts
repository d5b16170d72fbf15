import type { Violation } from './violation.js';

/** A line of a node's journal about one call over the grid. `id` is `CALLER/NUMBER`, numbers from 0 upwards. */
export type CallRecord =
  /** Written by the node that runs the handler, before it runs. */
  | { readonly type: 'ran'; readonly id: string; readonly node: number }
  /** Written by the caller. `lateMs`: how much later than its deadline, without the time in which the process stood. */
  | {
      readonly type: 'ended';
      readonly id: string;
      readonly code: string;
      readonly notSent: boolean;
      readonly lateMs: number;
    }
  /** Written by the caller when a call is open although its deadline is long over. */
  | { readonly type: 'hangs'; readonly id: string; readonly lateMs: number };

/** One bit per call: a long run makes tens of millions of them. */
class Bits {
  private words = new Uint32Array(64);

  has(index: number): boolean {
    return ((this.words[index >>> 5] ?? 0) & (1 << (index & 31))) !== 0;
  }

  add(index: number): void {
    const word = index >>> 5;
    if (word >= this.words.length) {
      const more = new Uint32Array(Math.max(word + 1, this.words.length * 2));
      more.set(this.words);
      this.words = more;
    }
    this.words[word]! |= 1 << (index & 31);
  }

  /** The first one that is here and not there. */
  firstWithout(other: Bits): number | undefined {
    for (let word = 0; word < this.words.length; word++) {
      const left = this.words[word]! & ~(other.words[word] ?? 0);
      if (left !== 0) return word * 32 + (31 - Math.clz32(left & -left));
    }
    return undefined;
  }
}

interface CallerBits {
  readonly ran: Bits;
  readonly ended: Bits;
  readonly succeeded: Bits;
  readonly notSent: Bits;
}

/** At most once, and what `notSent` says: from what callers were told and what handlers wrote down before they ran. */
export class CallChecker {
  readonly violations: Violation[] = [];
  private readonly callers = new Map<string, CallerBits>();
  calls = 0;
  notSent = 0;

  constructor(private readonly lateMs: number) {}

  record(record: CallRecord): void {
    const { id } = record;
    const { bits, number } = this.locate(id);
    switch (record.type) {
      case 'ran':
        if (bits.ran.has(number)) this.violations.push({ promise: 'a call ran twice', piece: [record] });
        if (bits.notSent.has(number)) this.violations.push({ promise: 'notSent on a call that ran', piece: [record] });
        bits.ran.add(number);
        break;
      case 'ended':
        this.calls++;
        if (bits.ended.has(number)) this.violations.push({ promise: 'a call ended twice', piece: [record] });
        bits.ended.add(number);
        if (record.code === 'ok') bits.succeeded.add(number);
        if (record.notSent) {
          this.notSent++;
          bits.notSent.add(number);
          if (bits.ran.has(number)) this.violations.push({ promise: 'notSent on a call that ran', piece: [record] });
        }
        this.time(record);
        break;
      case 'hangs':
        this.time(record);
        break;
    }
  }

  /** When all journals were read to their ends: what succeeded must have run. */
  finish(): void {
    for (const [caller, { succeeded, ran }] of this.callers) {
      const number = succeeded.firstWithout(ran);
      if (number !== undefined) {
        this.violations.push({ promise: 'a call succeeded that never ran', piece: [{ id: `${caller}/${number}` }] });
      }
    }
  }

  private time(record: Extract<CallRecord, { lateMs: number }>): void {
    if (record.lateMs > this.lateMs) {
      this.violations.push({ promise: `a call was open ${this.lateMs} ms after its deadline`, piece: [record] });
    }
  }

  private locate(id: string): { bits: CallerBits; number: number } {
    const slash = id.lastIndexOf('/');
    const caller = id.slice(0, slash);
    let bits = this.callers.get(caller);
    if (!bits) {
      bits = { ran: new Bits(), ended: new Bits(), succeeded: new Bits(), notSent: new Bits() };
      this.callers.set(caller, bits);
    }
    return { bits, number: Number(id.slice(slash + 1)) };
  }
}
