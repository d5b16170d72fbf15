import {
  encodeItemHeader,
  encodeMergedHeader,
  encodeMessage,
  headSize,
  ITEM_HEADER_MAX,
  itemHeaderSize,
  LEAST_MAX,
  MAX_FIXED_BYTES,
  MERGED_HEADER_MAX,
  trailerSize,
  type Message,
} from '../wire/index.js';
import type { Slab } from './slab.js';
import { WS_HEADER_MAX } from './ws-header.js';

/**
 * The largest Merged that we send: half of what the smallest `Max` of a peer allows. Two of them fit what Node reads
 * from a socket at a time, so that most arrive in one piece and need not be put together from two.
 */
const MERGED_BYTES = LEAST_MAX / 2;

/** Bytes in front of every frame that the socket may use: for the longest header of a WebSocket frame. */
export const FRAME_ROOM = WS_HEADER_MAX;

/** The most bytes that a frame of one message needs while it is built, beside that message. */
const MAX_FRAMING = FRAME_ROOM + MERGED_HEADER_MAX + ITEM_HEADER_MAX;

/**
 * A WebSocket message in the making. Each message is encoded as it comes, as an item of a Merged (wire spec §4);
 * the header in front is written when the frame is sealed, and a single message then goes without both.
 */
export class OutgoingFrame {
  /** Where each message's item starts. */
  private readonly starts: number[] = [];
  private readonly base: number;
  private end: number;
  private withdrawn: Set<number> | undefined = undefined;
  /** Bytes of the messages that will travel. */
  liveBytes = 0;
  /** Messages that will travel. */
  live = 0;
  /** Bytes of the message added last. */
  lastBytes = 0;
  /** Bytes of messages of streams, which are not withdrawn. */
  streamBytes = 0;

  /** Bytes that a slab must have free for a frame whose first message has at most so many. */
  static room(bytes: number): number {
    return Math.max(bytes + MAX_FRAMING, FRAME_ROOM + MERGED_BYTES);
  }

  /** True iff a message of at most so many bytes shares its frame with no other. */
  static alone(bytes: number): boolean {
    return MERGED_HEADER_MAX + itemHeaderSize(bytes) + bytes > MERGED_BYTES;
  }

  /** Where the first item of a frame would start that was begun in that slab now. */
  static startIn(slab: Slab): number {
    return slab.used + FRAME_ROOM + MERGED_HEADER_MAX;
  }

  /** The longest payload of a first message without metadata in bytes, if it shall be one of a Merged. */
  static readonly MOST_PAYLOAD = MERGED_BYTES - MERGED_HEADER_MAX - ITEM_HEADER_MAX - MAX_FIXED_BYTES;

  /** Where the payload of a message without metadata has to end at the latest, if the first item starts there. */
  static payloadEndFrom(start: number): number {
    return start + OutgoingFrame.MOST_PAYLOAD;
  }

  constructor(
    readonly slab: Slab,
    /** Position of the first message; the others follow without a gap. */
    readonly first: number,
    private readonly maxMessages: number,
  ) {
    this.end = OutgoingFrame.startIn(slab);
    this.base = this.end - MERGED_HEADER_MAX;
    slab.frames++;
  }

  /** Messages added, withdrawn ones too. */
  get count(): number {
    return this.starts.length;
  }

  /** Position of the last message. */
  get last(): number {
    return this.first + this.starts.length - 1;
  }

  /** True iff a message of at most so many bytes may join those that are here. */
  fits(bytes: number): boolean {
    const end = this.end + itemHeaderSize(bytes) + bytes;
    return end - this.base <= MERGED_BYTES && this.starts.length < this.maxMessages;
  }

  /** Adds the first message, or one that fits. `bound` is its `maxEncodedSize`. */
  add(message: Message, bound: number): void {
    const { bytes } = this.slab;
    const start = this.end;
    const reserved = itemHeaderSize(bound);
    let end = encodeMessage(message, bytes, start + reserved);
    const length = end - start - reserved;
    const spare = reserved - itemHeaderSize(length);
    if (spare > 0) {
      bytes.copyWithin(start + reserved - spare, start + reserved, end);
      end -= spare;
    }
    encodeItemHeader(length, bytes, start);
    this.took(start, end, length);
  }

  /** Where the next message's item starts. */
  get next(): number {
    return this.end;
  }

  /** Where the payload of the next message has to end at the latest, if that carries no metadata. */
  get payloadEnd(): number {
    return OutgoingFrame.payloadEndFrom(this.base + MERGED_HEADER_MAX);
  }

  /**
   * Adds a message whose payload stands in the slab from `payloadAt` on, behind what was added; to be called as `add`.
   * Gives the bytes between the start of its item and its payload: where those of the next message are as many, a
   * payload written so far behind `next` need not be moved.
   */
  addAround(message: Message, payloadAt: number): number {
    const { bytes } = this.slab;
    const payloadBytes = message.payload!.length;
    const start = this.end;
    const head = headSize(message);
    const length = head + payloadBytes + trailerSize(message);
    const messageAt = start + itemHeaderSize(length);
    const place = messageAt + head;
    // before the head is written: that may come to stand where the payload is now
    if (place !== payloadAt) bytes.copyWithin(place, payloadAt, payloadAt + payloadBytes);
    const end = encodeMessage(message, bytes, messageAt, true);
    encodeItemHeader(length, bytes, start);
    this.took(start, end, length);
    return place - start;
  }

  /** Takes a message back that is still in here; the bytes it had. 0: it is withdrawn already. */
  withdraw(position: number): number {
    const index = position - this.first;
    if (this.withdrawn?.has(index)) return 0;
    this.withdrawn ??= new Set();
    this.withdrawn.add(index);
    const bytes = itemLength(this.endOf(index) - this.starts[index]!);
    this.live--;
    this.liveBytes -= bytes;
    return bytes;
  }

  /** The bytes to write. Nothing may be added or withdrawn any more; at least one message must be left. */
  seal(): Uint8Array {
    if (this.withdrawn) this.closeGaps(this.withdrawn);
    const { slab, end } = this;
    const items = this.base + MERGED_HEADER_MAX;
    if (this.live === 1) return slab.view(end - itemLength(end - items), end);
    const headerEnd = encodeMergedHeader(this.live, slab.bytes, this.base);
    const start = items - (headerEnd - this.base);
    slab.bytes.copyWithin(start, this.base, headerEnd);
    return slab.view(start, end);
  }

  private took(start: number, end: number, length: number): void {
    this.starts.push(start);
    this.end = end;
    // the slab's next frame starts behind this one, whenever that is opened
    this.slab.used = end;
    this.live++;
    this.liveBytes += length;
    this.lastBytes = length;
  }

  private closeGaps(withdrawn: ReadonlySet<number>): void {
    let end = this.base + MERGED_HEADER_MAX;
    for (let index = 0; index < this.starts.length; index++) {
      if (withdrawn.has(index)) continue;
      const start = this.starts[index]!;
      const length = this.endOf(index) - start;
      this.slab.bytes.copyWithin(end, start, start + length);
      end += length;
    }
    this.end = end;
  }

  private endOf(index: number): number {
    return this.starts[index + 1] ?? this.end;
  }
}

/** The length of the message in an item of so many bytes, bin header included. */
function itemLength(bytes: number): number {
  if (bytes <= 0xff + 2) return bytes - 2;
  return bytes <= 0xffff + 3 ? bytes - 3 : bytes - 5;
}
