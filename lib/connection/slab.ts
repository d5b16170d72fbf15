/** Room for about four frames. */
const SLAB_BYTES = 256 * 1024;

/** Slabs kept for later, all connections together: 4 MiB. An idle connection holds none. */
const MAX_FREE = 16;

/** Memory that frames are encoded into, one after the other. It belongs to one write queue until no frame uses it. */
export class Slab {
  /** Where the next frame starts. */
  used = 0;
  /** Frames in it that wait or are being written: while there are any, none of its bytes may be written again. */
  frames = 0;

  constructor(readonly bytes: Buffer) {}

  get free(): number {
    return this.bytes.length - this.used;
  }
}

/** Slabs that nobody uses. Larger ones are made for one large message and left to the garbage collector. */
class SlabPool {
  private readonly free: Slab[] = [];

  /** An empty slab of at least so many bytes. */
  take(bytes: number): Slab {
    if (bytes > SLAB_BYTES) return new Slab(Buffer.allocUnsafeSlow(bytes));
    return this.free.pop() ?? new Slab(Buffer.allocUnsafeSlow(SLAB_BYTES));
  }

  give(slab: Slab): void {
    if (slab.bytes.length !== SLAB_BYTES || this.free.length === MAX_FREE) return;
    slab.used = 0;
    this.free.push(slab);
  }
}

export const slabs = new SlabPool();
