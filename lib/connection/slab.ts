import { BufferView, cutSlabs } from '../wire/index.js';

/** Room for about eight frames. */
const SLAB_BYTES = 256 * 1024;

/** How many of them the codec's memory has room for beside the large ones: 6 MiB (see assembly/build.js). */
const NEAR_COUNT = 24;

/** Room for a message of 1 MiB with all that stands around it. */
const LARGE_BYTES = 1024 * 1024 + 64 * 1024;
const LARGE_COUNT = 4;

/** Slabs outside of the codec's memory that are kept for later, all connections together: 4 MiB. */
const MAX_FREE = 16;

/** Memory that frames are encoded into, one after the other. It belongs to one write queue until no frame uses it. */
export class Slab {
  /** Where the next frame starts. */
  used = 0;
  /**
   * Frames in it that wait or are being written, and a payload that is to become part of one: while there are any, none
   * of its bytes may be written again.
   */
  frames = 0;

  // asked once: to ask a view for them costs more than to make one
  private readonly memory: ArrayBufferLike;
  private readonly offset: number;

  constructor(
    readonly bytes: Buffer,
    /** In the codec's memory, where a CRC costs least. */
    readonly isNear: boolean,
  ) {
    this.memory = bytes.buffer;
    this.offset = bytes.byteOffset;
  }

  get free(): number {
    return this.bytes.length - this.used;
  }

  /** Some of its bytes. */
  view(start: number, end: number): Buffer {
    return new BufferView(this.memory, this.offset + start, end - start);
  }
}

/**
 * Slabs that nobody uses. Those in the codec's memory go first; there are a fixed number of them for all connections
 * together, and one that a socket never gives back is lost. Larger ones are for large messages: what those four cannot
 * take is made for one message and left to the garbage collector.
 */
class SlabPool {
  private readonly near = cutSlabs(SLAB_BYTES, NEAR_COUNT).map((bytes) => new Slab(bytes, true));
  private readonly large = cutSlabs(LARGE_BYTES, LARGE_COUNT, NEAR_COUNT * SLAB_BYTES).map(
    (bytes) => new Slab(bytes, true),
  );
  private readonly far: Slab[] = [];

  /** An empty slab of at least so many bytes. */
  take(bytes: number): Slab {
    if (bytes > SLAB_BYTES) {
      const large = bytes > LARGE_BYTES ? undefined : this.large.pop();
      return large ?? new Slab(Buffer.allocUnsafeSlow(bytes), false);
    }
    return this.near.pop() ?? this.far.pop() ?? new Slab(Buffer.allocUnsafeSlow(SLAB_BYTES), false);
  }

  give(slab: Slab): void {
    slab.used = 0;
    if (slab.bytes.length !== SLAB_BYTES) {
      if (slab.isNear) this.large.push(slab);
    } else if (slab.isNear) {
      this.near.push(slab);
    } else if (this.far.length < MAX_FREE) {
      this.far.push(slab);
    }
  }
}

export const slabs = new SlabPool();
