import type { Mux } from '../mux/index.js';
import type { PeerLink } from './peer-link.js';
import type { PeerCounts } from './peer-stats.js';
import type { PeerState } from './peer-state.js';

/** What is under way with one host now. */
export interface OpenCalls {
  /** Open calls that this host made. */
  readonly outgoing: number;
  /** Open calls that the peer made. */
  readonly incoming: number;
  /** Handlers called by the peer that have not ended yet, events and those of calls that are over included. */
  readonly running: number;
}

/** One peer in `grid.stats()`. */
export interface PeerStatus extends PeerCounts, OpenCalls {
  /** Origin of the host. */
  readonly host: string;
  /** This host dials the peer; false: the peer dials. The two names decide (wire spec §1). */
  readonly dials: boolean;
  readonly state: PeerState;
  /** Messages waiting to be written. */
  readonly queued: number;
  /** Their encoded bytes. */
  readonly queuedBytes: number;
  /** Connections after the first one. */
  readonly reconnects: number;
  /** The last round trip in milliseconds, undefined before the first. */
  readonly lastPingMs: number | undefined;
}

/** What `grid.stats()` tells: a copy, as of now. */
export interface GridStats {
  /** This host's origin. */
  readonly local: string;
  /** Name of the grid. */
  readonly name: string;
  /** All other hosts, in the order of the list. */
  readonly peers: readonly PeerStatus[];
  /** Calls of this host to itself. */
  readonly self: PeerCounts & OpenCalls;
}

export function statusOf(link: PeerLink): PeerStatus {
  const { connection } = link;
  return {
    host: link.peer,
    dials: link.dials,
    state: link.state,
    ...openCalls(connection?.mux, connection?.mux),
    running: link.load.running,
    queued: connection?.queuedMessages ?? 0,
    queuedBytes: connection?.queuedBytes ?? 0,
    reconnects: link.reconnects,
    lastPingMs: connection?.lastPingMs,
    ...link.stats.counts(connection?.mux.flows()),
  };
}

/** Of a call of a host to itself the two ends are two muxes. */
export function openCalls(calling: Mux | undefined, answering: Mux | undefined): OpenCalls {
  return {
    outgoing: calling?.outgoing ?? 0,
    incoming: answering?.incoming ?? 0,
    running: answering?.running ?? 0,
  };
}
