import type { Run } from './run.js';

/** One line of `--json`: what one run measured of one thing. `null`: not measured there. */
export interface Measurement {
  readonly case: string;
  /** `raw`, `nest`, or the name of a yard-stick or peer. */
  readonly api: string;
  /** What of the case it is: `with 256 streams`, `guard`; empty where a case measures one thing. */
  readonly variant: string;
  /** Bytes of a payload. */
  readonly payload: number;
  readonly outstanding: number;
  readonly round: number;
  /** Calls per second; of one long stream its messages per second. */
  readonly rps: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** CPU seconds of both processes for 100,000 calls. */
  readonly cpuSPer100k: number | null;
  /** Resident memory of the server process at the end, in MB. */
  readonly rssMb: number | null;
  readonly serverPeakRssMb: number | null;
  readonly clientRssMb: number | null;
  readonly clientPeakRssMb: number | null;
  /** Memory of one idle stream or peer, one side. */
  readonly bytesPerUnit: number | null;
  /** Calls that failed or came back different. */
  readonly errors: number;
  /** Cores that everything else on the machine kept busy meanwhile. */
  readonly foreignCores: number | null;
  /** What only this case counts, by name. */
  readonly figures: Readonly<Record<string, number>>;
}

/** What a case tells of one thing that it measured; the rest is known of its run. */
export type Finding = Partial<Omit<Measurement, 'case' | 'api' | 'payload' | 'round'>>;

export function measurementOf(run: Run, finding: Finding): Measurement {
  return {
    case: run.case,
    api: run.api,
    variant: '',
    payload: run.payload,
    outstanding: run.outstanding,
    round: run.round,
    rps: null,
    p50Ms: null,
    p99Ms: null,
    cpuSPer100k: null,
    rssMb: null,
    serverPeakRssMb: null,
    clientRssMb: null,
    clientPeakRssMb: null,
    bytesPerUnit: null,
    errors: 0,
    foreignCores: null,
    figures: {},
    ...finding,
  };
}
