import { maskInPlace, SplitFrame, type Frame } from '../wire/index.js';
import { BINARY, FIN, KEY_BYTES, LENGTH, LENGTH_16, LENGTH_64, MASKED, PING, PONG } from './ws-header.js';

/** Memory that a frame gets for its announced length alone, if less has come. */
const ADVANCE_BYTES = 128 * 1024;
/** So many times what has really come it gets later on. */
const GROWTH = 9;
/** For less it does not pay to read up to the end of a frame and no further. */
const LEAST_ROOM = 16 * 1024;

/** The first byte of a frame that is a whole binary message. */
const WHOLE_BINARY = FIN | BINARY;

const NOTHING = Buffer.alloc(0);

export interface WsReaderPorts {
  /** The other end dialed: what it sends must be masked. */
  readonly masked: boolean;
  /** The longest payload of a frame in bytes; a longer one is `ws`' to refuse. */
  readonly maxBytes: number;
  /** A whole binary frame, without its header and mask. The memory is the taker's from now on. */
  readonly onFrame: (frame: Frame) => void;
  /** A whole ping or pong of the WebSocket as it came, for `ws` to read. */
  readonly onControl: (bytes: Buffer) => void;
  /** All that comes is for `ws` to read, from the start of a frame on. Nothing follows. */
  readonly onRest: (bytes: Buffer) => void;
}

/**
 * Takes the binary frames out of what comes from the network, as views of it. `ws` itself makes several Buffers for
 * each frame, joins one that came in pieces, and passes each piece through a stream of its own, which stops and
 * restarts the socket. It reads pings and pongs, and everything from the first frame on that is neither one of them nor
 * binary and whole: fragments, a goodbye, and whatever breaks a rule.
 */
export class WsReader {
  /** The start of a frame of which too little has come to read its header. */
  private start: Buffer = NOTHING;
  /** The first piece of a frame, if the others have not come. */
  private head: Buffer | undefined = undefined;
  /** Where a frame in more than two pieces is put together, and how much of it has come. */
  private frame: Buffer | undefined = undefined;
  private filled = 0;
  /** Of the frame that has not come whole. */
  private length = 0;
  private key = 0;
  private gaveUp = false;

  constructor(private readonly ports: WsReaderPorts) {}

  /** Where what comes next would be copied to, if that is much: who reads to there saves the copy. */
  room(): Buffer | undefined {
    if (!this.frame || this.length - this.filled < LEAST_ROOM) return undefined;
    const frame = this.filled < this.frame.length ? this.frame : this.grow(this.frame, this.filled);
    return frame.subarray(this.filled);
  }

  /** Reads what came from the network. The memory is the reader's from now on. */
  read(piece: Buffer): void {
    const { start } = this;
    if (start.length > 0) {
      piece = inOne(start, piece) ?? Buffer.concat([start, piece]);
      this.start = NOTHING;
    }
    let at = 0;
    try {
      while (at < piece.length && !this.gaveUp) {
        if (this.head) at = this.readSecond(this.head, piece, at);
        else if (this.frame) at = this.readOn(this.frame, piece, at);
        else at = this.readFrame(piece, at);
      }
    } finally {
      // a taker threw: where the next frame starts is not known any more, and a payload must not be read as one
      if (at < piece.length) this.gaveUp = true;
    }
  }

  private readFrame(piece: Buffer, start: number): number {
    const first = piece[start]!;
    const second = piece[start + 1];
    if (first !== WHOLE_BINARY && first !== PING && first !== PONG) return this.giveUp(piece, start);
    if (second === undefined) return this.wait(piece, start);
    const { masked } = this.ports;
    let length = second & LENGTH;
    if (masked !== (second & MASKED) > 0 || (first !== WHOLE_BINARY && length >= LENGTH_16)) {
      return this.giveUp(piece, start);
    }
    let at = start + 2;
    if (length === LENGTH_16) at += 2;
    else if (length === LENGTH_64) at += 8;
    if (at > piece.length) return this.wait(piece, start);
    if (length === LENGTH_16) length = piece.readUInt16BE(start + 2);
    // exact up to 2^53, which is past any cap
    else if (length === LENGTH_64) length = piece.readUInt32BE(start + 2) * 2 ** 32 + piece.readUInt32BE(start + 6);
    if (length > this.ports.maxBytes) return this.giveUp(piece, start);
    if (masked) at += KEY_BYTES;
    if (at > piece.length) return this.wait(piece, start);
    const end = at + length;
    if (first !== WHOLE_BINARY) {
      if (end > piece.length) return this.wait(piece, start);
      this.ports.onControl(piece.subarray(start, end));
      return end;
    }
    if (masked) this.key = piece.readUInt32LE(at - KEY_BYTES);
    if (end <= piece.length) {
      const frame = piece.subarray(at, end);
      this.unmask(frame, 0);
      this.ports.onFrame(frame);
      return end;
    }
    this.length = length;
    this.head = piece.subarray(at);
    return piece.length;
  }

  private readSecond(head: Buffer, piece: Buffer, at: number): number {
    this.head = undefined;
    const end = at + this.length - head.length;
    if (end <= piece.length) {
      const tail = piece.subarray(at, end);
      this.unmask(head, 0);
      this.unmask(tail, head.length);
      this.ports.onFrame(inOne(head, tail) ?? new SplitFrame(head, tail));
      return end;
    }
    this.frame = Buffer.allocUnsafe(Math.min(this.length, Math.max(head.length, ADVANCE_BYTES)));
    this.frame.set(head);
    this.filled = head.length;
    return at;
  }

  private readOn(frame: Buffer, piece: Buffer, at: number): number {
    const end = Math.min(piece.length, at + this.length - this.filled);
    const filled = this.filled + end - at;
    if (filled > frame.length) frame = this.grow(frame, filled);
    const isThere = piece.byteOffset === frame.byteOffset + this.filled && piece.buffer === frame.buffer;
    if (!isThere) frame.set(at === 0 && end === piece.length ? piece : piece.subarray(at, end), this.filled);
    this.filled = filled;
    if (filled === this.length) {
      this.frame = undefined;
      this.unmask(frame, 0);
      this.ports.onFrame(frame);
    }
    return end;
  }

  private grow(frame: Buffer, least: number): Buffer {
    const grown = Buffer.allocUnsafe(Math.min(this.length, Math.max(least, GROWTH * frame.length)));
    grown.set(frame.subarray(0, this.filled));
    this.frame = grown;
    return grown;
  }

  /** `at`: where in the frame the bytes stand. */
  private unmask(bytes: Buffer, at: number): void {
    if (!this.ports.masked) return;
    const turned = 8 * (at & 3);
    maskInPlace(bytes, turned === 0 ? this.key : (this.key >>> turned) | (this.key << (32 - turned)));
  }

  /** Until more has come. */
  private wait(piece: Buffer, start: number): number {
    this.start = piece.subarray(start);
    return piece.length;
  }

  private giveUp(piece: Buffer, start: number): number {
    this.gaveUp = true;
    this.ports.onRest(piece.subarray(start));
    return piece.length;
  }
}

/** Both as one where they stand behind each other in memory: nothing has to be joined. */
function inOne(head: Buffer, tail: Buffer): Buffer | undefined {
  if (head.byteOffset + head.length !== tail.byteOffset || head.buffer !== tail.buffer) return undefined;
  return Buffer.from(head.buffer, head.byteOffset, head.length + tail.length);
}
