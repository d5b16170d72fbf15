import { HttpException, IntrinsicException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { INTERNAL_TEXT, logText } from '../calls/index.js';
import { framelessError, GridError, textOf, type GridCode } from '../errors/index.js';
import type { GridLogger } from '../observe/index.js';

/** The text of the RpcException that Nest throws for a guard that said no. */
const DENIED_TEXT = 'Forbidden resource';

const CODE_OF_STATUS: Readonly<Record<number, GridCode>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  408: 'DEADLINE_EXCEEDED',
  409: 'ALREADY_EXISTS',
  410: 'NOT_FOUND',
  412: 'FAILED_PRECONDITION',
  413: 'OUT_OF_RANGE',
  416: 'OUT_OF_RANGE',
  423: 'FAILED_PRECONDITION',
  424: 'FAILED_PRECONDITION',
  428: 'FAILED_PRECONDITION',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** The code for an HTTP status: by the table above, else INVALID_ARGUMENT for 4xx and INTERNAL for all others. */
export function codeOfStatus(status: number): GridCode {
  return CODE_OF_STATUS[status] ?? (status >= 400 && status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL');
}

/**
 * The GridError that a handler's error becomes for its caller. What was not meant for callers becomes INTERNAL with
 * Nest's own text; only its `cause`, which stays here, tells what it was.
 */
export function gridErrorOf(thrown: unknown): GridError {
  // notSent and remote told of the call that failed inside the handler, not of this one
  if (GridError.is(thrown))
    return thrown.notSent || thrown.remote ? thrown.with({ notSent: false, remote: false }) : thrown;
  if (thrown instanceof RpcException) return ofRpcException(thrown);
  if (thrown instanceof HttpException) {
    const details = thrown.getResponse();
    return framelessError(codeOfStatus(thrown.getStatus()), thrown.message, { details, cause: thrown });
  }
  return framelessError('INTERNAL', INTERNAL_TEXT, { cause: thrown });
}

/** Logs the error behind one that was not meant for its caller. Nest's word for what is not to be logged counts. */
export function logInternal(error: GridError, pattern: string, logger: GridLogger): void {
  if (!isInternal(error)) return;
  const thrown = thrownAs(error);
  if (!(thrown instanceof IntrinsicException)) logger.error(`handler ${pattern}: ${logText(thrown)}`);
}

/** What was thrown where the caller gets this error. */
export function thrownAs(error: GridError): unknown {
  const { cause, peer } = error;
  // that of another call, made inside of this one, has no cause: it names its peer
  if (isInternal(error) && peer === undefined) return cause;
  return cause ?? error;
}

function isInternal({ code, message }: GridError): boolean {
  return code === 'INTERNAL' && message === INTERNAL_TEXT;
}

/**
 * As `gridErrorOf`, of what the pipeline gave out: the grid's own filter is the last one, so what is no GridError by
 * then was given by a filter of the application and, by Nest's custom, is meant for the caller as it is.
 */
export function errorOfFilter(given: unknown): GridError {
  if (GridError.is(given) || given instanceof Error) return gridErrorOf(given);
  if (typeof given === 'object' && given !== null) return ofRpcObject(given);
  if (typeof given === 'string') return framelessError('UNKNOWN', given, { details: given });
  return ofRpcObject({ status: 'error', message: textOf(given) });
}

function ofRpcException(thrown: RpcException): GridError {
  // its type says text or object; nothing keeps plain JavaScript, or a value that came as `any`, to it
  const error: unknown = thrown.getError();
  if (error === DENIED_TEXT) return framelessError('PERMISSION_DENIED', DENIED_TEXT, { cause: thrown });
  // without filters of their own, Nest's transports send an object as it is and wrap all else
  const isObject = typeof error === 'object' && error !== null;
  return ofRpcObject(isObject ? error : { status: 'error', message: error }, thrown);
}

function ofRpcObject(details: object, cause?: Error): GridError {
  const message =
    'message' in details && typeof details.message === 'string' ? details.message : (cause?.message ?? 'error');
  return framelessError('UNKNOWN', message, { details, cause });
}
