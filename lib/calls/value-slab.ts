import { BufferView } from '../wire/index.js';

/** Memory of its own that values are written into one after the other; what was written is never written again. */
const SLAB_BYTES = 32 * 1024;
/** A slab with less room than this is not begun upon. */
const LEAST_ROOM = 1024;
const NO_SLAB = Buffer.alloc(0);

/** Where a value is written: memory of its own that grows with it, or memory that is lent, as long as it fits. */
export class ValueSlab {
  /** Its own; the memory of that is asked for once, and begins where it does. */
  private own = NO_SLAB;
  private ownMemory = NO_SLAB.buffer;
  private ownUsed = 0;

  /** Where the value is written. */
  protected slab: Buffer = NO_SLAB;
  /** Where the value that is being written begins, how far it is, and what it must not go beyond. */
  protected start = 0;
  protected at = 0;
  protected limit = 0;

  /** Begins a value in memory of its own. */
  begin(): void {
    if (this.own.length < this.ownUsed + LEAST_ROOM) this.take(Buffer.allocUnsafeSlow(SLAB_BYTES));
    this.beginIn(this.own, this.ownUsed, this.own.length);
  }

  /** Begins a value in memory that is lent, from `at` on. */
  beginIn(memory: Buffer, at: number, limit: number): void {
    this.slab = memory;
    this.start = this.at = at;
    this.limit = limit;
  }

  /** Ends the value: its bytes, which nothing changes any more. */
  end(): Uint8Array {
    const { slab, start, at } = this;
    this.letGo();
    if (slab !== this.own) return new BufferView(slab.buffer, start, at - start);
    this.ownUsed = at;
    return new BufferView(this.ownMemory, start, at - start);
  }

  /** Ends a value that was begun in that memory: the position where it ends there, or its bytes if it did not fit. */
  endIn(memory: Buffer): number | Uint8Array {
    if (this.slab !== memory) return this.end();
    this.letGo();
    return this.at;
  }

  /** Forgets the memory of the value: one that is large must not be kept for good. */
  letGo(): void {
    this.slab = NO_SLAB;
    this.limit = 0;
  }

  /** Bytes of the value so far. */
  get length(): number {
    return this.at - this.start;
  }

  /** Leaves so many bytes for a header that is known later. */
  skip(bytes: number): void {
    this.room(bytes);
    this.at += bytes;
  }

  /** A byte at a place that was skipped. */
  byteAt(offset: number, byte: number): void {
    this.slab[this.start + offset] = byte;
  }

  putByte(byte: number): void {
    this.room(1);
    this.slab[this.at++] = byte;
  }

  putBytes(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.slab.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Makes sure of so many bytes: where there are less, what is written of this value moves to memory with more. */
  protected room(bytes: number): void {
    if (this.at + bytes <= this.limit) return;
    const { slab, start, at } = this;
    const needed = at - start + bytes + LEAST_ROOM;
    if (slab !== this.own && this.own.length - this.ownUsed >= needed) {
      this.beginIn(this.own, this.ownUsed, this.own.length);
    } else {
      const larger = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (at - start), needed));
      if (larger.length === SLAB_BYTES) this.take(larger);
      this.beginIn(larger, 0, larger.length);
    }
    slab.copy(this.slab, this.start, start, at);
    this.at += at - start;
  }

  private take(slab: Buffer<ArrayBuffer>): void {
    this.own = slab;
    this.ownMemory = slab.buffer;
    this.ownUsed = 0;
  }
}
