/**
 * Latencies of one run: steps of 1 microsecond up to 10 ms, of 10 microseconds up to 1 s, all above in the last one.
 */
export class LatencyHistogram {
  private static readonly FINE = 10_000;
  private static readonly COARSE = 99_000;
  private readonly counts = new Uint32Array(LatencyHistogram.FINE + LatencyHistogram.COARSE + 1);
  private total = 0;

  add(milliseconds: number): void {
    const { FINE, COARSE } = LatencyHistogram;
    const microseconds = milliseconds * 1000;
    const step = microseconds < FINE ? microseconds : FINE + (microseconds - FINE) / 10;
    const index = Math.min(Math.trunc(step), FINE + COARSE);
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.total += 1;
  }

  /** The latencies of both. */
  with(other: LatencyHistogram): LatencyHistogram {
    const both = new LatencyHistogram();
    for (const index of both.counts.keys()) both.counts[index] = this.counts[index]! + other.counts[index]!;
    both.total = this.total + other.total;
    return both;
  }

  get count(): number {
    return this.total;
  }

  /** Milliseconds that `share` (0 to 1) of the calls took at most. NaN without calls. */
  quantile(share: number): number {
    const { FINE } = LatencyHistogram;
    let left = Math.ceil(this.total * share);
    for (const [index, count] of this.counts.entries()) {
      left -= count;
      if (left <= 0 && this.total > 0) return (index < FINE ? index + 1 : FINE + (index - FINE + 1) * 10) / 1000;
    }
    return NaN;
  }
}
