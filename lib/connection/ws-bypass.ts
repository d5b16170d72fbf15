import { performance } from 'node:perf_hooks';
import type { Frame } from '../wire/index.js';
import { readInOwnMemory } from './read-memory.js';
import { isTls, type WsStream } from './ws-frame.js';
import { WsReader } from './ws-reader.js';

/**
 * After so much work for one socket the others have their turn. The system would give up to 2 MiB of one in a row: of
 * small messages that is work of a second, in which no other peer is heard.
 */
const SLICE_MS = 10;

/**
 * Reads binary frames in place of `ws`, which gets everything else through the listener that it has set on its stream.
 * Where somebody else listens too, it cannot be told which listener that is: `ws` then reads everything itself.
 */
export class WsBypass {
  private readonly reader: WsReader;
  /** Since the others had their turn. */
  private workedMs = 0;
  /** TLS gives each of its records alone: nothing tells whether more follows in this turn. */
  private readonly isTls: boolean;

  /** `now`: in milliseconds. */
  static of(
    below: WsStream,
    onFrame: (frame: Frame) => void,
    now: () => number = () => performance.now(),
  ): WsBypass | undefined {
    const [listener, ...others] = below.stream.listeners('data');
    return listener === undefined || others.length > 0 ? undefined : new WsBypass(below, listener, onFrame, now);
  }

  private constructor(
    private readonly below: WsStream,
    private readonly listener: Function,
    onFrame: (frame: Frame) => void,
    private readonly now: () => number,
  ) {
    const { stream, masks, maxBytes } = below;
    this.isTls = isTls(below);
    this.reader = new WsReader({
      masked: !masks,
      maxBytes,
      onFrame,
      onControl: (bytes) => this.pass(bytes),
      onRest: (bytes) => {
        // in the first place as it was: who counts what comes does so behind it
        stream.prependListener('data', listener as () => void).off('data', this.read);
        stream.off('close', this.readLast);
        this.pass(bytes);
      },
    });
    stream.off('data', listener as () => void).on('data', this.read);
    stream.prependOnceListener('close', this.readLast);
  }

  /** The stream flows from now on. */
  begin(): void {
    const { stream } = this.below;
    // nothing overtakes what was read before, and TLS gives what it has when it is paused
    const waits = (): boolean => stream.isPaused() || stream.readableLength > 0;
    const take = (piece: Buffer, full: boolean): boolean => {
      if (waits()) return stream.push(piece);
      // past the stream's buffer; `ws` pauses it when that reads and has enough
      return full || this.isTls ? this.giveOne(piece) : this.giveLast(piece);
    };
    readInOwnMemory(stream, take, () => (waits() ? undefined : this.reader.room()));
  }

  /** The last piece of this turn. */
  private giveLast(piece: Buffer): boolean {
    this.workedMs = 0;
    this.below.stream.emit('data', piece);
    return true;
  }

  /** One that another may follow. False: first the others have their turn. */
  private giveOne(piece: Buffer): boolean {
    const { stream } = this.below;
    const began = this.now();
    stream.emit('data', piece);
    this.workedMs += this.now() - began;
    if (this.workedMs < SLICE_MS) return true;
    this.workedMs = 0;
    setImmediate(() => {
      if (!stream.isPaused()) stream.read(0);
    });
    return false;
  }

  private readonly read = (piece: Buffer): void => this.reader.read(piece);

  /**
   * What waits in a paused stream that closes `ws` takes out itself, and would read the inside of a frame as frames.
   */
  private readonly readLast = (): void => {
    const { stream } = this.below;
    if (stream.readableLength > 0) this.reader.read(stream.read(stream.readableLength) as Buffer);
  };

  private pass(bytes: Buffer): void {
    Reflect.apply(this.listener, this.below.stream, [bytes]);
  }
}
