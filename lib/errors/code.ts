/** The closed list of error codes: gRPC's status names. Meaning, source and advice of each stand in docs/ERRORS.md. */
export const GRID_CODES = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
] as const;

/** One of `GRID_CODES`. */
export type GridCode = (typeof GRID_CODES)[number];

const known: ReadonlySet<string> = new Set(GRID_CODES);

export function isGridCode(word: unknown): word is GridCode {
  return typeof word === 'string' && known.has(word);
}

/**
 * The finer cause inside a code.
 * - `not-connected`: no connection to the peer when the call was made; nothing was sent.
 * - `disconnected`: the connection ended while the call was open.
 * - `draining`: the peer (or this host) is shutting down and takes no new calls.
 * - `limit`: a cap was passed, one of `limits`, of the handler (`concurrency`, `outBuffer`) or of the peer (`Max`); the
 *   text names it.
 * - `protocol`: the peer broke a rule of the wire protocol.
 * - `closed`: this grid was closed.
 */
export type GridReason = 'not-connected' | 'disconnected' | 'draining' | 'limit' | 'protocol' | 'closed';
