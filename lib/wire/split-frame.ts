import { FrameMemory } from './frame-view.js';

/** A WebSocket message that came in two pieces. Most of what is in it lies in one of them: it need not be joined. */
export class SplitFrame {
  private readonly headMemory: FrameMemory;
  private readonly tailMemory: FrameMemory;

  constructor(
    readonly head: Uint8Array,
    readonly tail: Uint8Array,
  ) {
    this.headMemory = new FrameMemory(head);
    this.tailMemory = new FrameMemory(tail);
  }

  get length(): number {
    return this.head.length + this.tail.length;
  }

  /** As `FrameMemory.part`; what does not lie in one piece is copied too. */
  part(at: number, length: number): Buffer {
    const { head, tail } = this;
    const inTail = at - head.length;
    if (inTail >= 0) return this.tailMemory.part(inTail, length);
    const rest = inTail + length;
    if (rest <= 0) return this.headMemory.part(at, length);
    const copy = Buffer.allocUnsafe(length);
    copy.set(head.subarray(at));
    copy.set(tail.subarray(0, rest), -inTail);
    return copy;
  }
}

/** A WebSocket message as it came. */
export type Frame = Uint8Array | SplitFrame;

/** The same in one piece. */
export function joined(frame: Frame): Uint8Array {
  return frame instanceof SplitFrame ? Buffer.concat([frame.head, frame.tail]) : frame;
}
