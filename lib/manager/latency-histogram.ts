/** So many durations were at most `upToMs` long, and longer than the bound of the bucket before. */
export interface LatencyBucket {
  /** Milliseconds; Infinity for what took longer than almost 9 hours. */
  readonly upToMs: number;
  readonly count: number;
}

/** Durations in milliseconds. */
export interface LatencySummary {
  /** Durations so far. */
  readonly count: number;
  /** Their sum. */
  readonly totalMs: number;
  /** Their mean; 0 where there is none. */
  readonly meanMs: number;
  /** The longest. */
  readonly maxMs: number;
  /** Percentiles are upper bounds told from the buckets, at most 26 % too high. */
  readonly p50Ms: number;
  /** The same. */
  readonly p99Ms: number;
  /** Those that are not empty, the shortest first. Ten bounds for each power of ten, and each power is one. */
  readonly buckets: readonly LatencyBucket[];
}

/** Each bucket ends a quarter above the one before it, from 10 µs to almost 9 hours; the last one has no end. */
const PER_DECADE = 10;
const FIRST_MS = 0.01;
const BOUNDS_MS = Array.from({ length: 96 }, (_, bucket) => FIRST_MS * 10 ** (bucket / PER_DECADE));
const LAST = BOUNDS_MS.length;
/**
 * Durations are looked up by their first `TOP_BITS` bits and how many follow, in steps so small that the shortest
 * bucket has more than one of them. Of two durations with the same ones the longer is at most a seventh longer: at most
 * one bound lies between them.
 */
const STEPS_PER_MS = 1_600;
const TOP_BITS = 4;
const LOOKED_UP_MS = 2 ** 31 / STEPS_PER_MS;
/** The bucket of the shortest duration of each such group. */
const FIRST_BUCKETS = Uint8Array.from({ length: groupOf(2 ** 31 - 1) + 1 }, (_, group) => bucketOf(shortestOf(group)));

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
    const bucket = ms < LOOKED_UP_MS ? FIRST_BUCKETS[groupOf(ms * STEPS_PER_MS)]! : bucketOf(ms);
    this.buckets[ms > BOUNDS_MS[bucket]! ? bucket + 1 : bucket]!++;
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

function bucketOf(ms: number): number {
  const bucket = BOUNDS_MS.findIndex((bound) => ms <= bound);
  return bucket < 0 ? LAST : bucket;
}

/** Of a number of steps below 2^31: those with few bits are groups of their own. */
function groupOf(steps: number): number {
  const whole = Math.max(0, steps) | 0;
  const more = Math.max(0, 32 - TOP_BITS - Math.clz32(whole));
  return (more << (TOP_BITS - 1)) + (whole >>> more);
}

/** The shortest duration of a group, in milliseconds. */
function shortestOf(group: number): number {
  const more = Math.max(0, (group >>> (TOP_BITS - 1)) - 1);
  return ((group - (more << (TOP_BITS - 1))) * 2 ** more) / STEPS_PER_MS;
}
