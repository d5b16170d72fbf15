import type { Readable } from 'node:stream';
import { isReadable } from './result-kind.js';

/** Where what stands for a Node stream, as a wrapper around it does, has that stream. */
export const STREAM = Symbol('stream');

/** An iterable that may be or stand for a Node stream. */
export interface MaybeStream extends AsyncIterable<unknown> {
  readonly [STREAM]?: Readable | undefined;
}

/**
 * The Node stream that an iterable is or stands for, its errors heard from now on; undefined for any other iterable.
 * Its own iterator listens for errors only from the first pull on, and destroys only what was pulled from: who stops it
 * calls `destroy`.
 */
export function heardReadable(iterable: MaybeStream): Readable | undefined {
  if (!isReadable(iterable)) return iterable[STREAM];
  // its iterator gives it all the same, to who pulls next
  iterable.on('error', () => {});
  return iterable;
}
