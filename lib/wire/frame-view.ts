type View = new (memory: ArrayBufferLike, at: number, length: number) => Buffer;

/**
 * The class that makes Buffers without `Buffer.from` and its checks, in half its time: Node tells it as Buffer's
 * species. Its instances are Buffers in every way. undefined where a runtime has it otherwise.
 */
const species = (Buffer as unknown as { readonly [Symbol.species]?: View })[Symbol.species];

/** A Buffer that is a view of a part of a frame's memory. */
export const FrameView: View =
  species !== undefined && species.prototype === Buffer.prototype
    ? species
    : (function (memory: ArrayBufferLike, at: number, length: number) {
        return Buffer.from(memory, at, length);
      } as unknown as View);

export const EMPTY_VIEW: Buffer = Buffer.alloc(0);
