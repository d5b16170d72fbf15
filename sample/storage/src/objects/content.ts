import { createHash } from 'node:crypto';
import type { StoredCopy } from './stored-copy.js';

/** No node gave the whole of an object that is there. */
export class ContentError extends Error {
  override readonly name = 'ContentError';
}

/**
 * The content of an object from the first copy that gives it; when a node is lost in the middle, the next one goes on
 * at the same byte. The last chunk is handed out only after the checksum held, so whoever got all of it got it right.
 */
export async function* contentOf(
  path: string,
  copies: readonly StoredCopy[],
): AsyncGenerator<Uint8Array, void, undefined> {
  const seal = copies[0]?.seal;
  if (!seal) throw new Error(`no copy of ${path}`);
  const hash = createHash('sha256');
  let offset = 0;
  let last: Uint8Array | undefined;
  let failure: unknown;
  for (const { disk } of copies) {
    if (offset === seal.size) break;
    try {
      for await (const chunk of disk.read(path, { offset, length: seal.size - offset })) {
        hash.update(chunk);
        offset += chunk.length;
        if (last) yield last;
        last = chunk;
      }
    } catch (error) {
      failure = error;
    }
  }
  if (offset < seal.size) {
    throw new ContentError(`only ${offset} of ${seal.size} bytes of ${path} could be read`, { cause: failure });
  }
  if (hash.digest('hex') !== seal.sha256) throw new ContentError(`the content of ${path} does not match its checksum`);
  if (last) yield last;
}

/**
 * A stream whose first step was already taken. Leaving it early ends the stream behind it, also before anything was
 * read: a generator that was never begun would not do that.
 */
export function resumed<T>(
  first: IteratorResult<T, void>,
  rest: AsyncGenerator<T, void, undefined>,
): AsyncIterableIterator<T, void> {
  let pending: IteratorResult<T, void> | undefined = first;
  return {
    async next() {
      const result = pending ?? (await rest.next());
      pending = undefined;
      return result;
    },
    return: () => rest.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
