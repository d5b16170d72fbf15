import type { Duplex } from 'node:stream';

/** Memory of a connection on which little comes. */
const SMALL_BYTES = 4 * 1024;
/** Of the others. Not more: a payload may keep so much alive (lib/wire/frame-view.ts). */
const LARGE_BYTES = 64 * 1024;

/** Memory that is read into from its start to its end, and never twice. */
class ReadMemory {
  private memory = Buffer.allocUnsafeSlow(SMALL_BYTES);
  private room = this.memory;
  /** A read took all the room there was, or much. */
  private busy = false;

  /** What the next read may fill. */
  next(): Buffer {
    // a quarter is left unused rather than asking the system for many small pieces
    if (4 * this.room.length < this.memory.length) {
      this.memory = Buffer.allocUnsafeSlow(this.busy ? LARGE_BYTES : SMALL_BYTES);
      this.room = this.memory;
      this.busy = false;
    }
    return this.room;
  }

  /** The read has filled so many bytes. */
  taken(bytes: number): Buffer {
    const { room } = this;
    this.busy ||= bytes === room.length || bytes >= SMALL_BYTES;
    this.room = room.subarray(bytes);
    return bytes === room.length ? room : room.subarray(0, bytes);
  }
}

/** Where Node keeps its option `onread`: symbols of these names on each of its sockets, null while it is not used. */
const PLACES = ['kBuffer', 'kBufferCb', 'kBufferGen'];

interface NodeHandle {
  useUserBuffer?(memory: Buffer): void;
}

/**
 * From now on what a socket of Node reads goes to `take`, in memory that is its taker's, and not into the socket's stream.
 * `take` gives false where nothing more shall be read until the stream asks for it, as `push` does.
 *
 * Node itself asks for 64 KiB for each read, then for as much as has come, fills that with zeros and copies. Its option
 * `onread` spares all of that, a sixth of what a busy connection costs; but sockets that come from an HTTP request or server
 * were made without it. So what it sets is set here. False: this Node, or this stream, does not know it; nothing happened.
 */
export function readInOwnMemory(stream: Duplex, take: (piece: Buffer) => boolean): boolean {
  const { _handle: handle } = stream as { _handle?: NodeHandle | null };
  const symbols = Object.getOwnPropertySymbols(stream);
  const places = PLACES.map((name) => symbols.find(({ description }) => description === name));
  const known = places.every((place) => place !== undefined && Reflect.get(stream, place) === null);
  if (!known || typeof handle?.useUserBuffer !== 'function') return false;
  const memory = new ReadMemory();
  const values = [memory.next(), (bytes: number) => take(memory.taken(bytes)), () => memory.next()];
  places.forEach((place, index) => Reflect.set(stream, place!, values[index]));
  handle.useUserBuffer(memory.next());
  return true;
}
