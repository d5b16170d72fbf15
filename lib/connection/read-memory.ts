import type { Duplex } from 'node:stream';
import { markAsUntransferable } from 'node:worker_threads';
import { BufferView, SHARED_BYTES } from '../wire/index.js';

/** Memory of a connection on which little comes. */
const SMALL_BYTES = 4 * 1024;
/** Of the others: as much as a payload may keep alive. */
const LARGE_BYTES = SHARED_BYTES;
/** A read of fewer bytes is little: a ping, a credit. */
const LITTLE_BYTES = 512;

/** Memory that is read into from its start to its end, and never twice. */
class ReadMemory {
  private memory = allocate(SMALL_BYTES);
  private size = SMALL_BYTES;
  private used = 0;
  /** The last read took all the room there was, or more than a little. */
  private busy = false;

  /** The last read took all the room there was: more may have come. */
  get full(): boolean {
    return this.used === this.size;
  }

  /** What the next read may fill. */
  next(): Buffer {
    // a quarter is left unused rather than asking the system for many small pieces
    if (4 * (this.size - this.used) < this.size) {
      this.size = this.busy ? LARGE_BYTES : SMALL_BYTES;
      this.memory = allocate(this.size);
      this.used = 0;
    }
    return new BufferView(this.memory, this.used, this.size - this.used);
  }

  /** The read has filled so many bytes. */
  taken(bytes: number): Buffer {
    const start = this.used;
    this.used += bytes;
    this.busy = this.full || bytes >= LITTLE_BYTES;
    return new BufferView(this.memory, start, bytes);
  }
}

/** Who has a payload has a view of this: were its memory sent to another thread, the socket would write to it there. */
function allocate(bytes: number): ArrayBufferLike {
  const { buffer } = Buffer.allocUnsafeSlow(bytes);
  markAsUntransferable(buffer);
  return buffer;
}

interface NodeHandle {
  useUserBuffer?(memory: Buffer): void;
}

/**
 * From now on what a socket of Node reads goes to `take`, in memory that is its taker's, and not into the socket's
 * stream. `take` gives false where nothing more shall be read until the stream asks for it, as `push` does; it is told
 * whether the read has filled its memory: then the next one follows at once, and so on for up to 32 of them. `room`,
 * where it is given, may tell of other memory to be read into next.
 *
 * Node itself asks for 64 KiB for each read, then for as much as has come, fills that with zeros and copies. Its option
 * `onread` spares all of that, a sixth of what a busy connection costs; but sockets that come from an HTTP request or
 * server were made without it. So what it sets is set here: three symbols that each socket has, null while they are not
 * used. False: this Node, or this stream, does not know them; nothing happened.
 */
export function readInOwnMemory(
  stream: Duplex,
  take: (piece: Buffer, full: boolean) => boolean,
  room?: () => Buffer | undefined,
): boolean {
  const { _handle: handle } = stream as { _handle?: NodeHandle | null };
  const buffer = unused(stream, 'kBuffer');
  const callback = unused(stream, 'kBufferCb');
  const generator = unused(stream, 'kBufferGen');
  if (!buffer || !callback || !generator || typeof handle?.useUserBuffer !== 'function') return false;
  const memory = new ReadMemory();
  let elsewhere: Buffer | undefined;
  const next = (): Buffer => (elsewhere = room?.()) ?? memory.next();
  const onRead = (bytes: number): boolean => {
    try {
      if (elsewhere) return take(elsewhere.subarray(0, bytes), bytes === elsewhere.length);
      const piece = memory.taken(bytes);
      return take(piece, memory.full);
    } catch (fault) {
      // thrown here, Node would go on where it was, in what has just been handed over
      queueMicrotask(() => {
        throw fault;
      });
      return true;
    }
  };
  try {
    handle.useUserBuffer(memory.next());
  } catch {
    // a runtime that has Node's names and not what is behind them
    return false;
  }
  Reflect.set(stream, buffer, memory.next());
  Reflect.set(stream, callback, onRead);
  Reflect.set(stream, generator, next);
  return true;
}

function unused(stream: Duplex, name: string): symbol | undefined {
  const symbol = Object.getOwnPropertySymbols(stream).find(({ description }) => description === name);
  return symbol && Reflect.get(stream, symbol) === null ? symbol : undefined;
}
