import { GridError, REQUESTS_ONLY, textOf } from '../errors/index.js';
import type { Target } from './target.js';

/** The error as its caller gets it: with peer and pattern; the text of a missing handler is told in our words, too. */
export function named(error: GridError, peer: string, target: Target): GridError {
  const facts = { peer, pattern: target.name };
  if (error.code === 'UNIMPLEMENTED' && error.remote && error.notSent) {
    const hint = takesRequestsOnly(error)
      ? `${peer} has no stream handler for ${target.name}: call request()`
      : `${peer} has no handler for ${target.name}`;
    return error.with({ ...facts, message: `${error.message}: ${hint}` });
  }
  return error.with(facts);
}

function takesRequestsOnly({ details }: GridError): boolean {
  return typeof details === 'object' && details !== null && 'only' in details && details.only === REQUESTS_ONLY.only;
}

/** The codec would not take what we want to send. */
export function unsendable(thrown: unknown, what: string): GridError {
  if (GridError.is(thrown)) return thrown;
  return new GridError('INVALID_ARGUMENT', `${what} cannot be encoded: ${textOf(thrown)}`, { cause: thrown });
}

/** The codec would not take what the peer sent as its answer. */
export function unreadableAnswer(thrown: unknown): GridError {
  if (GridError.is(thrown) && thrown.code === 'INTERNAL') return thrown;
  return new GridError('INTERNAL', `the answer cannot be decoded: ${textOf(thrown)}`, { cause: thrown });
}
