import { resolve } from 'node:path';
import { GridError } from 'nestjs-grid';

const LONGEST_PATH = 4096;

/**
 * The absolute name of a path that another node sent. Only plain relative paths with `/` between the parts pass:
 * no `..`, no `.`, no empty part, no backslash, no drive, no NUL; so nothing outside `root` can be named.
 */
export function insideOf(root: string, path: unknown): string {
  if (typeof path !== 'string') throw refused('a path must be a string');
  if (path.length > LONGEST_PATH) throw refused(`a path has at most ${LONGEST_PATH} characters`);
  if (/[\0\\:]/.test(path)) throw refused(`not a plain relative path: ${JSON.stringify(path)}`);
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') {
      throw refused(`not a plain relative path: ${JSON.stringify(path)}`);
    }
  }
  return resolve(root, path);
}

function refused(text: string): GridError {
  return new GridError('INVALID_ARGUMENT', text);
}
