import type { Frame } from '../wire/index.js';
import { readInOwnMemory } from './read-memory.js';
import type { WsStream } from './ws-frame.js';
import { WsReader } from './ws-reader.js';

/**
 * Reads binary frames in place of `ws`, which gets everything else through the listener that it has set on its stream.
 * Where somebody else listens too, it cannot be told which listener that is: `ws` then reads everything itself.
 */
export class WsBypass {
  private readonly reader: WsReader;

  static of(below: WsStream, onFrame: (frame: Frame) => void): WsBypass | undefined {
    const [listener, ...others] = below.stream.listeners('data');
    return listener === undefined || others.length > 0 ? undefined : new WsBypass(below, listener, onFrame);
  }

  private constructor(
    private readonly below: WsStream,
    private readonly listener: Function,
    onFrame: (frame: Frame) => void,
  ) {
    const { stream, masks, maxBytes } = below;
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
    const take = (piece: Buffer): boolean => {
      if (waits()) return stream.push(piece);
      // past the stream's buffer; `ws` pauses it when that reads and has enough
      stream.emit('data', piece);
      return true;
    };
    readInOwnMemory(stream, take, () => (waits() ? undefined : this.reader.room()));
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
