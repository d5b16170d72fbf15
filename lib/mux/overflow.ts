import { CONGESTED, framelessError, type GridError } from '../errors/index.js';
import { metadataSize, type Metadata } from '../wire/index.js';
import type { Outbox } from './outbox.js';

/**
 * The error of an answer with so much that more would wait than may. All that was let in may answer at once: what is
 * too much fails alone, not the connection.
 */
export function overflow(outbox: Outbox, bytes: number, metadata: Metadata | undefined): GridError | undefined {
  const size = metadata === undefined ? bytes : bytes + metadataSize(metadata);
  if (size === 0 || outbox.hasRoom(size)) return undefined;
  return framelessError('RESOURCE_EXHAUSTED', CONGESTED, { reason: 'limit' });
}
