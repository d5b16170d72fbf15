import { Duplex } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { WsBypass } from '../../lib/connection/ws-bypass.js';
import { joined, type Frame } from '../../lib/wire/index.js';
import { turn } from '../turn.js';
import { patternBytes } from '../wire/build.js';

/** As much of a Node socket as reads into memory that it is given. */
class PlayedSocket extends Duplex {
  readonly _handle = { useUserBuffer(): void {} };
  /** False: it was told to stop, and waits to be asked. */
  reading = true;
  private readonly places = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => Symbol(name));

  constructor() {
    super({ read() {} });
    for (const place of this.places) Object.assign(this, { [place]: null });
  }

  override read(size?: number): unknown {
    this.reading = true;
    return super.read(size);
  }

  /** The most that it can read now. */
  get room(): number {
    return (Reflect.get(this, this.places[0]!) as Buffer).length;
  }

  /** Reads; tells whether it is to go on. */
  receive(bytes: Uint8Array): boolean {
    const [buffer, callback, generator] = this.places.map((place) => Reflect.get(this, place) as unknown);
    (buffer as Buffer).set(bytes);
    const goOn = (callback as (count: number) => boolean)(bytes.length);
    Object.assign(this, { [this.places[0]!]: (generator as () => Buffer)() });
    if (!goOn) this.reading = false;
    return goOn;
  }
}

/** A binary frame of one byte, not masked. */
const frame = (byte: number): Buffer => Buffer.from([0x82, 1, byte]);

describe('what reads past ws', () => {
  const open = (facts: object = {}) => {
    const socket = Object.assign(new PlayedSocket(), facts);
    const frames: number[] = [];
    const last = { frame: Buffer.alloc(0) };
    /** Milliseconds: of the clock, and what each frame takes of them. */
    const time = { now: 0, each: 0 };
    socket.on('data', () => {});
    const onFrame = (taken: Frame): void => {
      time.now += time.each;
      last.frame = Buffer.from(joined(taken));
      frames.push(last.frame[0]!);
    };
    const bypass = WsBypass.of({ stream: socket, masks: true, maxBytes: 1_000_000 }, onFrame, () => time.now);
    return { socket, frames, last, time, bypass: bypass! };
  };
  const flowed = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

  it('reads by the stream where a runtime has only the names of what it would take', () => {
    const { socket, frames, bypass } = open();
    socket._handle.useUserBuffer = () => {
      throw new Error('only a name');
    };
    bypass.begin();
    expect(() => socket.room).toThrow(TypeError);
    socket.emit('data', frame(1));
    expect(frames).toEqual([1]);
  });

  it('lets nothing overtake what waits in the stream', async () => {
    const { socket, frames, bypass } = open();
    socket.pause();
    socket.push(frame(1));
    socket.resume();
    bypass.begin();
    socket.receive(frame(2));
    expect(frames).toEqual([]);
    await flowed();
    socket.receive(frame(3));
    expect(frames).toEqual([1, 2, 3]);
  });

  it('gives nothing while the stream is paused, and tells when it holds enough', async () => {
    const { socket, frames, bypass } = open();
    bypass.begin();
    socket.pause();
    expect(socket.receive(frame(1))).toBe(true);
    let sent = 1;
    while (socket.receive(Buffer.concat(Array.from({ length: 300 }, () => frame(2))))) sent += 300;
    expect(frames).toEqual([]);
    expect(socket.readableLength).toBeGreaterThanOrEqual(socket.readableHighWaterMark);
    socket.resume();
    await flowed();
    expect(frames).toHaveLength(sent + 300);
  });

  it('reads a large frame to where it is put together, but not what comes while the stream is paused', async () => {
    const { socket, last, bypass } = open();
    bypass.begin();
    const payload = patternBytes(500_000);
    const header = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(payload.length, 6);
    const stream = Buffer.concat([header, payload]);
    let at = 0;
    const receiveUpTo = (place: number): void => {
      while (at < place) {
        const piece = stream.subarray(at, Math.min(place, at + socket.room));
        socket.receive(piece);
        at += piece.length;
      }
    };
    receiveUpTo(200_000);
    expect(socket.room).toBeGreaterThan(100_000);
    socket.pause();
    receiveUpTo(210_000);
    receiveUpTo(220_000);
    socket.resume();
    await flowed();
    receiveUpTo(stream.length);
    expect(last.frame.equals(payload)).toBe(true);
  });

  describe('and the sockets of others', () => {
    /** One frame that fills what can be read now. */
    const full = (socket: PlayedSocket): Buffer => {
      const bytes = Buffer.alloc(socket.room, 1);
      const length = bytes.length - 4;
      return Buffer.concat([Buffer.from([0x82, 126, length >> 8, length & 255]), bytes.subarray(4)]);
    };
    const opened = async (facts?: object) => {
      const all = open(facts);
      all.bypass.begin();
      await flowed();
      return all;
    };

    it('have their turn after 10 ms of work for reads of which each fills its memory; then it reads on', async () => {
      const { socket, time, frames } = await opened();
      time.each = 3;
      expect([1, 2, 3, 4].map(() => socket.receive(full(socket)))).toEqual([true, true, true, false]);
      expect(frames).toEqual([1, 1, 1, 1]);
      expect(socket.reading).toBe(false);
      await turn();
      expect(socket.reading).toBe(true);
      expect(socket.receive(frame(1))).toBe(true);
    });

    it('have it anyway behind a read that does not fill its memory', async () => {
      const { socket, time } = await opened();
      time.each = 100;
      expect([frame(1), frame(2)].map((piece) => socket.receive(piece))).toEqual([true, true]);
      time.each = 9;
      const pieces = [full, () => frame(3), full];
      expect(pieces.map((piece) => socket.receive(piece(socket)))).toEqual([true, true, true]);
    });

    it('have it behind records of TLS, however small these are', async () => {
      const { socket, time } = await opened({ encrypted: true });
      time.each = 4;
      expect([1, 2, 3, 4].map((byte) => socket.receive(frame(byte)))).toEqual([true, true, false, true]);
    });

    it('have it for longer where the stream was paused meanwhile', async () => {
      const { socket, time } = await opened();
      time.each = 10;
      expect(socket.receive(full(socket))).toBe(false);
      socket.pause();
      await turn();
      expect(socket.reading).toBe(false);
      socket.resume();
      await flowed();
      expect(socket.reading).toBe(true);
    });
  });
});
