/** Memory for so many items is kept when the last one was taken. */
const KEPT = 32;

/**
 * First in, first out: each step costs the same however many items wait. The oldest one stands apart: in most of them
 * no second one ever waits.
 */
export class Fifo<T> {
  private count = 0;
  private oldest: T | undefined = undefined;
  /** Those behind it, made with the first of them. */
  private others: (T | undefined)[] | undefined = undefined;
  private head = 0;
  private tail = 0;

  get length(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count++ === 0) {
      this.oldest = item;
      return;
    }
    this.others ??= [];
    this.others[this.tail++] = item;
  }

  /** The oldest item, undefined when there is none. */
  shift(): T | undefined {
    const { oldest, others } = this;
    if (this.count === 0) return undefined;
    this.count--;
    this.oldest = others === undefined || this.count === 0 ? undefined : this.next(others);
    return oldest;
  }

  private next(others: (T | undefined)[]): T | undefined {
    const item = others[this.head];
    others[this.head++] = undefined;
    if (this.head === this.tail) {
      if (others.length > KEPT) this.others = undefined;
      this.head = 0;
      this.tail = 0;
    } else if (this.head >= 1024 && 2 * this.head >= this.tail) {
      this.others = others.slice(this.head, this.tail);
      this.tail -= this.head;
      this.head = 0;
    }
    return item;
  }
}
