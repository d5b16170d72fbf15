import { GridError } from '../../lib/errors/index.js';

/** The GridError that `action` throws. Anything else, a return included, fails the test. */
export function refusalOf(action: () => unknown): GridError {
  let result: unknown;
  try {
    result = action();
  } catch (error) {
    if (GridError.is(error)) return error;
    throw error;
  }
  throw new Error(`nothing was thrown, the result is ${String(result)}`);
}
