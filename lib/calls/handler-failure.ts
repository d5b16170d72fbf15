import { types } from 'node:util';
import { GridError, textOf } from '../errors/index.js';
import type { GridLogger } from '../observe/index.js';
import type { HandlerSpec } from './handler-spec.js';
import { UnsendableValue } from './outflow.js';

/** What Nest's own transports answer for an error that nobody meant for the caller. */
export const INTERNAL_TEXT = 'Internal server error';

/** The error that a caller gets of what a handler threw. What is not meant for callers is logged and stays here. */
export function failureOf(thrown: unknown, spec: HandlerSpec, logger: GridLogger): GridError {
  if (thrown instanceof UnsendableValue)
    return internal(thrown.thrown, `${spec.route.name}: a value cannot be encoded`, logger);
  if (spec.errorMapper) {
    try {
      return spec.errorMapper(thrown);
    } catch (failed) {
      return internal(failed, `${spec.route.name}: its errorMapper failed`, logger);
    }
  }
  return GridError.is(thrown) ? thrown : internal(thrown, spec.route.name, logger);
}

/** For the log: with the stack where there is one. */
export function logText(thrown: unknown): string {
  return (types.isNativeError(thrown) && thrown.stack) || textOf(thrown);
}

function internal(thrown: unknown, what: string, logger: GridLogger): GridError {
  logger.error(`handler ${what}: ${logText(thrown)}`);
  return new GridError('INTERNAL', INTERNAL_TEXT, { cause: thrown });
}
