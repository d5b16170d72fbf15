import type { Observable } from 'rxjs';
import type { Mux } from '../mux/index.js';
import type { PeerState, WaitOptions } from './peer-state.js';

/** The way to one host: a connection that comes and goes, or this process itself. */
export interface Link {
  /** Origin of the host. */
  readonly peer: string;
  readonly state: PeerState;
  /** The state now, and each that follows; completes when the grid is closed. */
  readonly status: Observable<PeerState>;
  /**
   * Where calls go now.
   * @throws GridError UNAVAILABLE with `notSent`, reason `not-connected`, `draining` or `closed`.
   */
  line(): Mux;
  /** Resolves at once where the connection stands. */
  waitForConnect(options?: WaitOptions): Promise<void>;
  /** Round trip in milliseconds. Rejects with UNAVAILABLE where there is no connection. */
  ping(): Promise<number>;
}
