import { framelessError, GridError, toGridError } from '../errors/index.js';
import { METADATA_BYTES, metadataSize, type Message, type Metadata } from '../wire/index.js';
import type { CallInit } from './call-init.js';

/**
 * The metadata of an opening message (wire spec §11, `meta`). Trace context is only a help: where it cannot travel, it
 * is left out.
 * @throws GridError with `notSent`: FAILED_PRECONDITION for metadata that the peer cannot carry, INVALID_ARGUMENT for
 * too much of it.
 */
export function openingMetadata(
  { metadata, traceContext }: CallInit,
  carried: boolean,
  mostBytes: number,
): Metadata | undefined {
  if (metadata !== undefined && !carried) {
    const text = 'the peer takes no metadata: it lacks the extension meta';
    throw new GridError('FAILED_PRECONDITION', text, { notSent: true });
  }
  const bytes = metadata === undefined ? 0 : sendableSize(metadata);
  if (bytes > mostBytes) {
    throw new GridError('INVALID_ARGUMENT', tooLarge(bytes, mostBytes), { reason: 'limit', notSent: true });
  }
  if (traceContext === undefined || !carried) return metadata;
  const both = { ...traceContext, ...metadata };
  try {
    return metadataSize(both) > mostBytes ? metadata : both;
  } catch {
    // it holds what has no UTF-8 form, or no strings at all
    return metadata;
  }
}

function sendableSize(metadata: Metadata): number {
  try {
    return metadataSize(metadata);
  } catch (fault) {
    throw toGridError(fault, 'INVALID_ARGUMENT').with({ notSent: true });
  }
}

/**
 * The error for metadata that was received and is too large. An answer may carry what the protocol allows: it is where
 * errors travel, whatever `limits.metadataBytes` says of calls.
 */
export function oversizeMetadata(message: Message, mostBytes = METADATA_BYTES): GridError | undefined {
  if (message.metadataBytes === undefined || message.metadataBytes <= mostBytes) return undefined;
  return framelessError('RESOURCE_EXHAUSTED', tooLarge(message.metadataBytes, mostBytes), { reason: 'limit' });
}

/** Names the option only where it decided: one below the protocol's own cap. */
function tooLarge(bytes: number, mostBytes: number): string {
  const option = mostBytes < METADATA_BYTES ? ' (limits.metadataBytes)' : '';
  return `metadata of ${bytes} bytes is over the ${mostBytes} bytes that a message may carry${option}`;
}
