type View = new (memory: ArrayBufferLike, at: number, length: number) => Buffer;

/**
 * The class that makes Buffers without `Buffer.from` and its checks, in half its time: Node tells it as Buffer's
 * species. Its instances are Buffers in every way. undefined where a runtime has it otherwise.
 */
const species = (Buffer as unknown as { readonly [Symbol.species]?: View })[Symbol.species];

/**
 * A Buffer that is a view of a part of some memory. `subarray` asks its own Buffer for that memory each time, which
 * costs more than to make one.
 */
export const BufferView: View =
  species !== undefined && species.prototype === Buffer.prototype
    ? species
    : (function (memory: ArrayBufferLike, at: number, length: number) {
        return Buffer.from(memory, at, length);
      } as unknown as View);

export const EMPTY_VIEW: Buffer = Buffer.alloc(0);

/** In bytes: memory larger than this is not kept alive by a part that takes less than half of it. */
export const SHARED_BYTES = 64 * 1024;

/** Where a frame lies, asked once for all its parts: to ask a view for its memory costs more than to make one. */
export class FrameMemory {
  private readonly memory: ArrayBufferLike;
  private readonly start: number;
  /** Parts with fewer bytes are copied. */
  private readonly leastView: number;

  constructor(frame: Uint8Array) {
    this.memory = frame.buffer;
    this.start = frame.byteOffset;
    const { byteLength } = this.memory;
    this.leastView = byteLength > SHARED_BYTES ? byteLength / 2 : 0;
  }

  /** Some of the frame's bytes: a view, unless that would keep much alive for little. */
  part(at: number, length: number): Buffer {
    const view = new BufferView(this.memory, this.start + at, length);
    return length < this.leastView ? Buffer.from(view) : view;
  }
}
