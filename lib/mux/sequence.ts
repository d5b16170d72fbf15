/** Messages of one direction of a call, counted from 0; wraps from 4294967295 to 0 (spec §6). */
export class Sequence {
  private next = 0;

  /** Messages so far, modulo 2^32. */
  get count(): number {
    return this.next;
  }

  /** The number of the next message that is sent. */
  take(): number {
    const number = this.next;
    this.next = (number + 1) >>> 0;
    return number;
  }

  /** Counts a received message; undefined if it is in order, else the number that was due. */
  mismatch(got: number): number | undefined {
    const want = this.next;
    if (got !== want) return want;
    this.next = (want + 1) >>> 0;
    return undefined;
  }
}
