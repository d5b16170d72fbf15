import type { Readable } from 'node:stream';
import { isReadable } from './result-kind.js';

/**
 * The Node stream that an iterable is, its errors heard from now on; undefined for any other iterable. Its own iterator
 * listens for errors only from the first pull on, and destroys only what was pulled from: who stops it calls `destroy`.
 */
export function heardReadable(iterable: AsyncIterable<unknown>): Readable | undefined {
  if (!isReadable(iterable)) return undefined;
  // its iterator gives it all the same, to who pulls next
  iterable.on('error', () => {});
  return iterable;
}
