/** Where a thing stands in a line. */
export interface Place<T> {
  readonly item: T;
}

class Link<T> implements Place<T> {
  before: Link<T> | undefined = undefined;
  after: Link<T> | undefined = undefined;
  stands = true;

  constructor(readonly item: T) {}
}

/**
 * Things in the order in which they came, each of which may leave from where it stands. A Set in its place would keep
 * what has left alive for long where as many come as go: see `BlockTable` of the mux.
 */
export class Line<T> {
  private first: Link<T> | undefined = undefined;
  private last: Link<T> | undefined = undefined;
  private count = 0;

  get length(): number {
    return this.count;
  }

  add(item: T): Place<T> {
    const link = new Link(item);
    link.before = this.last;
    if (this.last) this.last.after = link;
    else this.first = link;
    this.last = link;
    this.count++;
    return link;
  }

  /** False if it has left already. `place` is one of this line. */
  remove(place: Place<T>): boolean {
    // what `add` gave
    const link = place as Link<T>;
    if (!link.stands) return false;
    const { before, after } = link;
    if (before) before.after = after;
    else this.first = after;
    if (after) after.before = before;
    else this.last = before;
    link.stands = false;
    link.before = undefined;
    link.after = undefined;
    this.count--;
    return true;
  }

  /** Takes the first one out, undefined when there is none. */
  shift(): T | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.remove(first);
    return first.item;
  }
}
