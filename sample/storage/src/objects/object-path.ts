/** The folder of all objects on each disk, and that of uploads that are not committed. */
export const OBJECTS = 'objects';
export const UPLOADS = 'uploads';

/** Ends each object's file name. No encoded key holds an `@`, so `a` and `a/b` can both be objects. */
const ENDING = '@object';
const LONGEST_KEY = 1024;
const LONGEST_NAME = 240;

/** A key that cannot be stored; the text says why. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}

/** Where the object of a key lies on a disk. A key is any text; `/` makes folders. */
export function pathOfKey(key: string): string {
  if (key.length > LONGEST_KEY) throw new KeyError(`a key has at most ${LONGEST_KEY} characters`);
  const parts = key.split('/').map((part) => {
    if (part === '' || part === '.' || part === '..') {
      throw new KeyError(`a key has no empty part and neither . nor .. as one: ${key}`);
    }
    const name = encode(part);
    if (name.length > LONGEST_NAME) {
      throw new KeyError(`a part of a key has at most ${LONGEST_NAME} bytes when encoded`);
    }
    return name;
  });
  return `${OBJECTS}/${parts.join('/')}${ENDING}`;
}

/** undefined for a file that is no object's. */
export function keyOfPath(path: string): string | undefined {
  if (!path.startsWith(`${OBJECTS}/`) || !path.endsWith(ENDING)) return undefined;
  try {
    return decodeURIComponent(path.slice(OBJECTS.length + 1, -ENDING.length));
  } catch {
    // an escape that is cut: no object of ours has such a name
    return undefined;
  }
}

function encode(part: string): string {
  try {
    return encodeURIComponent(part).replaceAll('*', '%2A');
  } catch {
    throw new KeyError('a key must be well-formed text');
  }
}
