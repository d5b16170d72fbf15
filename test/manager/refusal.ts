import { GridError } from '../../lib/errors/index.js';

/** The GridError that `act` throws. */
export function thrownBy(act: () => unknown): GridError {
  try {
    act();
  } catch (error) {
    if (GridError.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The GridError that the promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<GridError> {
  const outcome = await promise.then(
    () => new Error('the promise was fulfilled'),
    (error: unknown) => error,
  );
  if (GridError.is(outcome)) return outcome;
  throw outcome;
}
