import type { ApiName } from './api-table.js';
import type { CaseName } from './case-table.js';

/** One pair of processes: what it measures and for how long. */
export interface Run {
  readonly case: CaseName;
  readonly api: ApiName;
  /** What of the case, where it has parts that need processes of their own; else empty. */
  readonly part: string;
  /** Bytes of a payload. */
  readonly payload: number;
  /** Calls that are out at any time. */
  readonly outstanding: number;
  /** Counts from 1. */
  readonly round: number;
  /** Before anything is measured, in milliseconds. */
  readonly warmUpMs: number;
  /** For each thing that is measured over a time, in milliseconds. */
  readonly measureMs: number;
  /** Share of the full counts of calls, streams and peers: 1, or less where only the way is tried. */
  readonly scale: number;
  /** Live objects that each process holds from its start, in megabytes. */
  readonly heapMb: number;
  /** The processes meet over TLS. */
  readonly tls: boolean;
  /** Flags of V8 for every process. */
  readonly v8: readonly string[];
}

/** A count of the full run, as large as this one takes it. */
export function scaled(run: Run, count: number): number {
  return Math.ceil(count * run.scale);
}

/** A count as it stands in names: 100,000. */
export function named(count: number): string {
  return count.toLocaleString('en');
}
