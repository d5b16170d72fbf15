import type { Message } from '../wire/index.js';
import { FrameLine } from './frame-line.js';
import { OutgoingFrame } from './outgoing-frame.js';
import { slabs, type Slab } from './slab.js';

/** Frames that wait for the socket in the order in which they were filled, the youngest of them still being filled. */
export class Lane {
  private readonly frames = new FrameLine();
  private open: OutgoingFrame | undefined = undefined;
  /** Where the next frame is made, if it fits. No other lane writes into it. */
  private slab: Slab | undefined = undefined;

  constructor(private readonly frameMessages: number) {}

  /** True iff a message of at most so many bytes needs a further frame while there is one already. */
  full(bound: number): boolean {
    return this.open?.fits(bound) === false;
  }

  /** Encodes a message into the open frame, or into a new one. `bound` is its `maxEncodedSize`. */
  add(message: Message, bound: number, position: number): OutgoingFrame {
    let frame = this.open;
    if (!frame?.fits(bound)) {
      frame = new OutgoingFrame(this.slabFor(bound), position, this.frameMessages);
      this.open = frame;
      this.frames.push(frame);
    }
    frame.add(message, bound);
    return frame;
  }

  /** The oldest frame, to be handed over. */
  shift(): OutgoingFrame | undefined {
    const frame = this.frames.shift();
    if (frame === this.open) this.open = undefined;
    return frame;
  }

  /** The frame with the message at that position, if it still waits. */
  find(position: number): OutgoingFrame | undefined {
    return this.frames.find(position);
  }

  /** The slab of a frame that was written is used again once no other frame needs it. */
  free(frame: OutgoingFrame): void {
    if (--frame.slab.frames > 0) return;
    if (frame.slab === this.slab) this.slab = undefined;
    slabs.give(frame.slab);
  }

  /** Drops all that wait. */
  clear(): void {
    for (let frame = this.shift(); frame; frame = this.shift()) this.free(frame);
  }

  private slabFor(bytes: number): Slab {
    const room = OutgoingFrame.room(bytes);
    if (!this.slab || this.slab.free < room) this.slab = slabs.take(room);
    return this.slab;
  }
}
