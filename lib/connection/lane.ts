import type { EncodeInto } from '../mux/index.js';
import type { Message } from '../wire/index.js';
import { FrameLine } from './frame-line.js';
import { OutgoingFrame } from './outgoing-frame.js';
import { slabs, type Slab } from './slab.js';

/** The headers in front of a payload of a few KiB, until one was drafted. */
const USUAL_HEADERS = 24;

/** Frames that wait for the socket in the order in which they were filled, the youngest of them still being filled. */
export class Lane {
  private readonly frames = new FrameLine();
  private open: OutgoingFrame | undefined = undefined;
  /** Where the next frame is made, if it fits. No other lane writes into it. */
  private slab: Slab | undefined = undefined;

  /**
   * Where a payload is written for the message that is added next, and then that payload itself. The slab is held until
   * that message is there, or any other.
   */
  private draftSlab: Slab | undefined = undefined;
  private draftAt = 0;
  private draft: Uint8Array | undefined = undefined;
  private drafting = false;
  /** Bytes in front of the last one's payload: the next one's are mostly as many. */
  private headers = USUAL_HEADERS;

  constructor(private readonly frameMessages: number) {}

  get empty(): boolean {
    return this.frames.empty;
  }

  /** True iff a message of at most so many bytes needs a further frame while there is one already. */
  full(bound: number): boolean {
    return this.open?.fits(bound) === false;
  }

  /** Encodes a message into the open frame, or into a new one. `bound` is its `maxEncodedSize`. */
  add(message: Message, bound: number, position: number): OutgoingFrame {
    // sent by a getter of the value that is being written there
    if (this.drafting && this.slab === this.draftSlab) this.open = this.slab = undefined;
    let frame = this.open;
    if (!frame?.fits(bound)) {
      frame = new OutgoingFrame(this.slabFor(bound), position, this.frameMessages);
      this.open = frame;
      this.frames.push(frame);
    }
    if (this.isDraft(message) && frame.slab === this.draftSlab) this.headers = frame.addAround(message, this.draftAt);
    else frame.add(message, bound);
    this.dropDraft();
    return frame;
  }

  /**
   * A value as the payload of the message that is added next, written where that will have it. It is good until then.
   * undefined: there is no room for so many bytes.
   */
  encode(value: unknown, into: EncodeInto, bytes: number): Uint8Array | undefined {
    if (this.drafting || bytes > OutgoingFrame.MOST_PAYLOAD) return undefined;
    this.dropDraft();
    const { open } = this;
    const slab = open ? open.slab : this.slabFor(0);
    const start = open ? open.next : OutgoingFrame.startIn(slab);
    const end = open ? open.payloadEnd : OutgoingFrame.payloadEndFrom(start);
    const at = start + this.headers;
    // where no frame is open a slab was taken, and there is room
    if (open && end - at < bytes) return undefined;
    slab.frames++;
    this.draftSlab = slab;
    this.draftAt = at;
    this.drafting = true;
    try {
      const written = into(value, slab.bytes, at, end);
      if (typeof written !== 'number') return written;
      this.draft = slab.view(at, written);
      return this.draft;
    } finally {
      this.drafting = false;
      if (!this.draft) this.dropDraft();
    }
  }

  /** A copy of the message, with a payload that no later one writes over. */
  undrafted(message: Message): Message {
    return this.isDraft(message) ? { ...message, payload: Buffer.from(message.payload!) } : { ...message };
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
    this.release(frame.slab);
  }

  /** Drops all that wait. */
  clear(): void {
    for (let frame = this.shift(); frame; frame = this.shift()) this.free(frame);
    this.dropDraft();
  }

  private isDraft({ payload }: Message): boolean {
    return payload !== undefined && payload === this.draft;
  }

  private dropDraft(): void {
    const { draftSlab } = this;
    // not while it is written: whoever took its slab would write there too
    if (this.drafting || !draftSlab) return;
    this.draft = this.draftSlab = undefined;
    this.release(draftSlab);
  }

  private release(slab: Slab): void {
    if (--slab.frames > 0) return;
    if (slab === this.slab) this.slab = undefined;
    slabs.give(slab);
  }

  private slabFor(bytes: number): Slab {
    const room = OutgoingFrame.room(bytes);
    if (!this.slab || this.slab.free < room) this.slab = slabs.take(room);
    return this.slab;
  }
}
