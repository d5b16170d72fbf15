import { inspect } from 'node:util';
import { GridError } from '../errors/index.js';

/**
 * @param where Whose options they are, for the text.
 * @throws GridError INVALID_ARGUMENT for what is no object of options, and for a name that is none of them: what is
 * misspelled would be a limit that is not there.
 */
export function verifyOptionNames(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const what = typeof options === 'function' ? 'a function' : shownOption(options);
    const text = `${where}: options is ${what}; it must be an object, {} for none; known are ${known.join(', ')}`;
    throw new GridError('INVALID_ARGUMENT', text);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new GridError('INVALID_ARGUMENT', `${where}: unknown option ${unknown}; known are ${known.join(', ')}`);
}

/** A value of an option in the text of an error. */
export function shownOption(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity, maxArrayLength: 8, maxStringLength: 120 });
}
