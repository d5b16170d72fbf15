import { EVENTS_ONLY, framelessError, GridError, REQUESTS_ONLY, textOf } from '../errors/index.js';
import { PATTERN_HANDLER_ID } from './pattern.js';
import type { Target } from './target.js';

/** A pattern that was read from a route or a file, where the handler ID was meant. */
const LOOKS_LIKE_ID = /^\d+$/;

/** The error as its caller gets it: with peer and pattern; the text of a missing handler is told in our words, too. */
export function named(error: GridError, peer: string, target: Target): GridError {
  const facts = { peer, pattern: target.name };
  if (error.code === 'UNIMPLEMENTED' && error.remote && error.notSent) {
    return error.with({ ...facts, message: `${error.message}: ${hint(error, peer, target)}` });
  }
  return error.with(facts);
}

function hint({ details }: GridError, peer: string, { handler, name }: Target): string {
  const only = typeof details === 'object' && details !== null && 'only' in details ? details.only : undefined;
  if (only === REQUESTS_ONLY.only) return `${peer} has no stream handler for ${name}: call request()`;
  if (only === EVENTS_ONLY.only) return `${name} is an event at ${peer}: call emit()`;
  if (handler !== PATTERN_HANDLER_ID || !LOOKS_LIKE_ID.test(name)) return `${peer} has no handler for ${name}`;
  return `${peer} has no handler for the text '${name}': a handler ID is a number`;
}

/** For the log: the cleanup of the input which the application gave to a call, of what is no pattern too. */
export function inputCleanup(peer: string, target: Target | undefined): string {
  return `call${target ? ` of ${target.name}` : ''} to ${peer}: the cleanup of its input failed:`;
}

/** The codec would not take what we want to send. */
export function unsendable(thrown: unknown, what: string): GridError {
  if (GridError.is(thrown)) return thrown;
  return new GridError('INVALID_ARGUMENT', `${what} cannot be encoded: ${textOf(thrown)}`, { cause: thrown });
}

/** The codec would not take what the peer sent as its answer. */
export function unreadableAnswer(thrown: unknown): GridError {
  if (GridError.is(thrown) && thrown.code === 'INTERNAL') return thrown;
  return framelessError('INTERNAL', `the answer cannot be decoded: ${textOf(thrown)}`, { cause: thrown });
}
