import { Duplex } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { WsBypass } from '../../lib/connection/ws-bypass.js';
import { joined } from '../../lib/wire/index.js';
import { patternBytes } from '../wire/build.js';

/** As much of a Node socket as reads into memory that it is given. */
class PlayedSocket extends Duplex {
  readonly _handle = { useUserBuffer(): void {} };
  private readonly places = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) => Symbol(name));

  constructor() {
    super({ read() {} });
    for (const place of this.places) Object.assign(this, { [place]: null });
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
    return goOn;
  }
}

/** A binary frame of one byte, not masked. */
const frame = (byte: number): Buffer => Buffer.from([0x82, 1, byte]);

describe('what reads past ws', () => {
  const open = () => {
    const socket = new PlayedSocket();
    const frames: number[] = [];
    const last = { frame: Buffer.alloc(0) };
    socket.on('data', () => {});
    const bypass = WsBypass.of({ stream: socket, masks: true, maxBytes: 1_000_000 }, (taken) => {
      last.frame = Buffer.from(joined(taken));
      frames.push(last.frame[0]!);
    });
    return { socket, frames, last, bypass: bypass! };
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
});
