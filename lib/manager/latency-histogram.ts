/** So many durations were at most `upToMs` long, and longer than the bound of the bucket before. */
export interface LatencyBucket {
  readonly upToMs: number;
  readonly count: number;
}

/** Durations in milliseconds, told from a histogram: percentiles are upper bounds, at most a quarter too high. */
export interface LatencySummary {
  readonly count: number;
  readonly totalMs: number;
  readonly meanMs: number;
  readonly maxMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Those that are not empty, the shortest first. Ten bounds for each power of ten, and each power is one. */
  readonly buckets: readonly LatencyBucket[];
}

/** Each bucket ends a quarter above the one before it, from 10 µs to almost 9 hours; the last one has no end. */
const PER_DECADE = 10;
const FIRST_MS = 0.01;
const BOUNDS_MS = Array.from({ length: 96 }, (_, bucket) => FIRST_MS * 10 ** (bucket / PER_DECADE));
const LAST = BOUNDS_MS.length;
/** By the bits of a duration in steps of `FIRST_MS`, rounded down: the bucket of the shortest one with so many. */
const FIRST_BUCKETS = Uint8Array.from({ length: 33 }, (_, bits) => (bits === 0 ? 0 : bucketOf(2 ** (bits - 1) * FIRST_MS, 0)));
/** What has more bits than 32 such steps is past all bounds. */
const LONGEST_MS = 2 ** 32 * FIRST_MS;

/** Counts durations in buckets of growing width; adding costs a few comparisons and no memory. */
export class LatencyHistogram {
  private readonly buckets = new Float64Array(LAST + 1);
  private count = 0;
  private totalMs = 0;
  private maxMs = 0;

  add(ms: number): void {
    this.count++;
    this.totalMs += ms;
    if (ms > this.maxMs) this.maxMs = ms;
    const bits = 32 - Math.clz32(Math.max(0, ms) / FIRST_MS);
    this.buckets[ms < LONGEST_MS ? bucketOf(ms, FIRST_BUCKETS[bits]!) : LAST]!++;
  }

  summary(): LatencySummary {
    return {
      count: this.count,
      totalMs: this.totalMs,
      meanMs: this.count === 0 ? 0 : this.totalMs / this.count,
      maxMs: this.maxMs,
      p50Ms: this.percentile(0.5),
      p99Ms: this.percentile(0.99),
      buckets: this.filled(),
    };
  }

  private filled(): LatencyBucket[] {
    const filled: LatencyBucket[] = [];
    for (const [bucket, count] of this.buckets.entries()) {
      if (count > 0) filled.push({ upToMs: BOUNDS_MS[bucket] ?? Infinity, count });
    }
    return filled;
  }

  private percentile(share: number): number {
    let left = Math.ceil(this.count * share);
    for (const [bucket, count] of this.buckets.entries()) {
      left -= count;
      if (left <= 0) return Math.min(this.maxMs, BOUNDS_MS[bucket] ?? Infinity);
    }
    return this.maxMs;
  }
}

/** The bucket of a duration, looked for from one that is not behind it; of each power of two there are three or four. */
function bucketOf(ms: number, from: number): number {
  let bucket = from;
  while (bucket < LAST && ms > BOUNDS_MS[bucket]!) bucket++;
  return bucket;
}
