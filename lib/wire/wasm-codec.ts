import { GridError } from '../errors/index.js';
import { instantiate, type CodecModule } from './codec-module.js';
import type { DecodeRules } from './decode-rules.js';
import { Flag } from './flag.js';
import { readTable, ROW_NUMBERS } from './frame-table.js';
import type { Message } from './message.js';
import { SplitFrame, type Frame } from './split-frame.js';
import { xxh3Low } from './xxh3.js';

/** Up to here the plain hash is faster than copying the bytes in. */
const PLAIN_BYTES = 32;

/**
 * The work on bytes that WebAssembly does, and the memory it does it in. Frames to be sent are built in that memory;
 * everything else is copied into a scratch area first. Nothing of it is ever handed to the application.
 */
export class WasmCodec {
  private readonly memory: Uint8Array;
  private readonly table: Uint32Array;
  private readonly scratch: number;
  private readonly scratchBytes: number;
  private readonly crc: CodecModule['crc'];
  private readonly walkFrame: CodecModule['walkFrame'];
  private readonly moduleHead: CodecModule['putHead'];
  private readonly moduleCrc: CodecModule['putCrc'];
  /** The slab that was used last, and its address: to ask a view for its buffer costs more than a small hash. */
  private slab: Uint8Array | undefined = undefined;
  private slabAt = 0;
  /** What was unmasked last, while its bytes stand in the scratch area: a frame is decoded right after that. */
  private unmasked: Uint8Array | undefined = undefined;

  constructor(
    readonly name: 'simd' | 'scalar',
    private readonly module: CodecModule = instantiate(name),
  ) {
    this.memory = new Uint8Array(module.memory.buffer);
    const rows = module.tableRows.value;
    this.table = new Uint32Array(module.memory.buffer, module.table.value, rows * ROW_NUMBERS);
    this.scratch = module.scratch.value;
    this.scratchBytes = module.scratchBytes.value;
    this.crc = module.crc;
    this.walkFrame = module.walkFrame;
    this.moduleHead = module.putHead;
    this.moduleCrc = module.putCrc;
  }

  /** `count` pieces of `bytes` each of the memory for frames to be sent, the first of them `offset` from its start. */
  cutSlabs(bytes: number, count: number, offset = 0): Buffer[] {
    const start = this.module.slabs.value + offset;
    return Array.from({ length: count }, (_, index) => Buffer.from(this.memory.buffer, start + index * bytes, bytes));
  }

  /** As `maskPlainly` in frame-memory.ts. */
  mask(bytes: Uint8Array, key: number): void {
    const { memory, module, scratch, scratchBytes } = this;
    if (bytes.buffer === memory.buffer) {
      module.mask(bytes.byteOffset, bytes.length, key);
      return;
    }
    // the parts are a multiple of the key's length
    for (let at = 0; at < bytes.length; at += scratchBytes) {
      const end = Math.min(bytes.length, at + scratchBytes);
      this.copyIn(bytes, at, end);
      module.mask(scratch, end - at, key);
      bytes.set(new Uint8Array(memory.buffer, scratch, end - at), at);
    }
    if (bytes.length <= scratchBytes) this.unmasked = bytes;
  }

  /** Where the bytes start in this memory; -1: they are elsewhere. */
  addressOf(bytes: Uint8Array): number {
    if (bytes !== this.slab) {
      if (bytes.buffer !== this.memory.buffer) return -1;
      this.slab = bytes;
      this.slabAt = bytes.byteOffset;
    }
    return this.slabAt;
  }

  /** As `putHead` in message-codec.ts, from an address on, for ids up to 2^53; returns the address where it ends. */
  putHead(message: Message, muxId: number, payloadBytes: number, address: number): number {
    const { seq, deadlineMs, handler, op, flags } = message;
    return this.moduleHead(address, muxId, seq, deadlineMs, handler, op, flags, payloadBytes);
  }

  /** Writes the CRC of so many bytes behind them, as `putCrc` in crc.ts. */
  putCrc(address: number, length: number): void {
    this.moduleCrc(address, length);
  }

  /** As `crcOf` in crc.ts. */
  crcOf(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    const address = this.addressOf(bytes);
    if (address >= 0) return this.crc(address + start, length) >>> 0;
    if (length <= PLAIN_BYTES) return xxh3Low(bytes, start, end) >>> 0;
    if (length > this.scratchBytes) return this.crcInParts(bytes, start, end);
    this.copyIn(bytes, start, end);
    return this.crc(this.scratch, length) >>> 0;
  }

  /**
   * As `decodeFrame` in frame.ts, for frames in which everything is usual and allowed; undefined for all others, which
   * the plain decoder accepts or refuses then.
   */
  decodeFrame(frame: Frame, { extensions, messageBytes, frameMessages }: DecodeRules): Message[] | undefined {
    const { length } = frame;
    if (length > this.scratchBytes) return undefined;
    if (frame instanceof SplitFrame) {
      this.memory.set(frame.head, this.scratch);
      this.memory.set(frame.tail, this.scratch + frame.head.length);
    } else if (frame !== this.unmasked) {
      this.memory.set(frame, this.scratch);
    }
    this.unmasked = undefined;
    const flags = (extensions.has('meta') ? Flag.Metadata : 0) | (extensions.has('upgrade') ? Flag.Many : 0);
    const count = this.walkFrame(length, Math.min(messageBytes, length), Math.min(frameMessages, length), flags);
    if (count < 0) return undefined;
    try {
      return readTable(this.table, count, frame);
    } catch (error) {
      // metadata that does not parse
      if (GridError.is(error)) return undefined;
      throw error;
    }
  }

  private crcInParts(bytes: Uint8Array, start: number, end: number): number {
    const { module, scratch } = this;
    const blockBytes = module.blockBytes.value;
    const partBytes = this.scratchBytes - blockBytes;
    module.startCrc();
    let at = start;
    for (; end - at > partBytes; at += partBytes) {
      this.copyIn(bytes, at, at + partBytes);
      module.addBlocks(scratch, partBytes / blockBytes);
    }
    // what is left ends with the block that is not full, and the 64 bytes in front of the end are read once more
    const blocks = Math.floor((end - at - 1) / blockBytes);
    this.copyIn(bytes, at - blockBytes, end);
    module.addBlocks(scratch + blockBytes, blocks);
    const tailAt = (blocks + 1) * blockBytes;
    return module.finishCrc(scratch + tailAt, end - at + blockBytes - tailAt, end - start) >>> 0;
  }

  private copyIn(bytes: Uint8Array, start: number, end: number): void {
    this.unmasked = undefined;
    const isWhole = start === 0 && end === bytes.length;
    const part = isWhole ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    this.memory.set(part, this.scratch);
  }
}
