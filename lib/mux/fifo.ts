/** Memory for so many items is kept when the last one was taken. */
const KEPT = 32;

/** First in, first out: each step costs the same however many items wait. */
export class Fifo<T> {
  private items: (T | undefined)[] = fewPlaces();
  private head = 0;
  private tail = 0;

  get length(): number {
    return this.tail - this.head;
  }

  push(item: T): void {
    this.items[this.tail++] = item;
  }

  /** The oldest item, undefined when there is none. */
  shift(): T | undefined {
    const { items, head } = this;
    if (head === this.tail) return undefined;
    const item = items[head];
    items[head] = undefined;
    this.head = head + 1;
    if (this.head === this.tail) this.clear();
    else if (this.head >= 1024 && 2 * this.head >= this.tail) {
      this.items = items.slice(this.head, this.tail);
      this.tail -= this.head;
      this.head = 0;
    }
    return item;
  }

  clear(): void {
    if (this.length > 0 || this.items.length > KEPT) this.items = fewPlaces();
    this.head = 0;
    this.tail = 0;
  }
}

/** Many wait for one thing only: the first `push` to an empty array would make room for 17. */
function fewPlaces(): undefined[] {
  return [undefined, undefined];
}
