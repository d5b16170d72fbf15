import { inspect, types } from 'node:util';
import { framelessError, GridError, inOneLine, shortened, textOf } from '../errors/index.js';
import type { GridLogger } from '../observe/index.js';
import type { HandlerSpec } from './handler-spec.js';
import { UnsendableValue } from './outflow.js';

/** What Nest's own transports answer for an error that nobody meant for the caller. */
export const INTERNAL_TEXT = 'Internal server error';

/** The error that a caller gets of what a handler threw. What is not meant for callers is logged and stays here. */
export function failureOf(thrown: unknown, spec: HandlerSpec, logger: GridLogger): GridError {
  if (UnsendableValue.is(thrown))
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
  return shortened(wholeText(thrown));
}

function wholeText(thrown: unknown): string {
  try {
    if (GridError.is(thrown)) return gridText(thrown);
    if (typeof thrown === 'object' && thrown !== null) return objectText(thrown);
  } catch {
    // a getter of the application: its text has to do
  }
  return textOf(thrown);
}

function objectText(thrown: object): string {
  const { name, message, stack }: Partial<Error> = thrown;
  const hasStack = typeof stack === 'string' && stack !== '';
  if (types.isNativeError(thrown)) return hasStack ? stack : textOf(thrown);
  // of an object that is no error nothing else tells what it was
  if (typeof message !== 'string') return `an object was thrown: ${inOneLine(lookOf(thrown))}`;
  if (!hasStack || typeof name !== 'string') return message;
  // errors of RxJS hold the frames of another error, whose name is no more than "Error"
  const frames = stack.indexOf('\n    at ');
  return `${name}: ${message}${frames < 0 ? '' : stack.slice(frames)}`;
}

/** It may hold what a peer sent, of any size: what has many properties is not looked into. */
function lookOf(thrown: object): string {
  if (hasMany(thrown)) return Object.prototype.toString.call(thrown);
  return inspect(thrown, { depth: 0, maxArrayLength: 32, maxStringLength: 128 });
}

function hasMany(thrown: object): boolean {
  // of these `inspect` looks at the begin only, and to count their keys would make a text for each byte
  if (Array.isArray(thrown) || ArrayBuffer.isView(thrown)) return false;
  if (types.isMap(thrown) || types.isSet(thrown)) return thrown.size > 32;
  // a boxed string has a key for each of its characters
  return types.isBoxedPrimitive(thrown) || Object.keys(thrown).length > 32;
}

/** With the call that it was the end of: most have no frames that could tell. */
function gridText({ code, pattern, peer, remote, message, stack }: GridError): string {
  const call = [pattern, peer].filter((fact) => fact !== undefined).join(' at ');
  const text = remote ? inOneLine(message) : stack || message;
  return `${code}${call === '' ? '' : ` (${call})`}: ${text}`;
}

/** Tells the log of a failure. Who answers the call, or gives its place back, has to go on whatever the log does. */
export function logFailure(logger: GridLogger, what: string, thrown: unknown): void {
  try {
    logger.error(`${what} ${logText(thrown)}`);
  } catch {
    // nobody is left to tell
  }
}

function internal(thrown: unknown, what: string, logger: GridLogger): GridError {
  logFailure(logger, `handler ${what}:`, thrown);
  return framelessError('INTERNAL', INTERNAL_TEXT, { cause: thrown });
}
