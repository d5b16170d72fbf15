import type { Metadata } from '../wire/index.js';

/** What a single request is opened with. */
export interface CallInit {
  /** Handler ID, 1 to 255. */
  readonly handler: number;
  /** What is called, where the handler ID alone does not tell: for statistics. */
  readonly pattern?: string | undefined;
  /** The 32 bytes of `subrouteId`. */
  readonly subroute: Uint8Array | undefined;
  readonly payload: Uint8Array | undefined;
  /** Milliseconds left for the call, at least 1; undefined where the caller gave none. */
  readonly timeoutMs: number | undefined;
  /** Travels with the opening message; needs the extension `meta`. At most `limits.metadataBytes` encoded. */
  readonly metadata?: Metadata | undefined;
  /** Travels beside the metadata; left out where the peer cannot carry it, or where both together are too large. */
  readonly traceContext?: Metadata | undefined;
}

/** What a stream is opened with. */
export interface StreamInit extends CallInit {
  /** False: the caller sends no input, and says so in the opening message. */
  readonly input: boolean;
  /** The handler's capacities as far as the caller knows them (contract or options); the peer's own word wins. */
  readonly inCapacity: number | undefined;
  readonly outCapacity: number | undefined;
}

/** Deadlines travel as whole milliseconds in 32 bits, about 49 days at most (spec §2). */
export function wireDeadline(timeoutMs: number | undefined): number {
  return timeoutMs === undefined ? 0 : Math.min(Math.ceil(timeoutMs), 0xffffffff);
}
