import type { OutgoingFrame } from './outgoing-frame.js';

/** Frames that wait, oldest first. Each step costs the same however many there are; finding one is a binary search. */
export class FrameLine {
  private frames: (OutgoingFrame | undefined)[] = [];
  private head = 0;

  get empty(): boolean {
    return this.frames.length === 0;
  }

  push(frame: OutgoingFrame): void {
    this.frames.push(frame);
  }

  shift(): OutgoingFrame | undefined {
    const frame = this.frames[this.head];
    if (!frame) return undefined;
    this.frames[this.head++] = undefined;
    if (this.head === this.frames.length) {
      this.frames.length = 0;
      this.head = 0;
    } else if (this.head > 1_024 && this.head * 2 > this.frames.length) {
      this.frames = this.frames.slice(this.head);
      this.head = 0;
    }
    return frame;
  }

  /** The frame with the message at that position, if it is among them. */
  find(position: number): OutgoingFrame | undefined {
    let low = this.head;
    let high = this.frames.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const frame = this.frames[middle]!;
      if (position < frame.first) high = middle - 1;
      else if (position > frame.last) low = middle + 1;
      else return frame;
    }
    return undefined;
  }
}
