import { LatencyHistogram } from './latency-histogram.js';
import type { Finding } from './measurement.js';
import type { Scene, Usage } from './scene.js';

/** After so many failed calls a run is broken, not slow. */
const MOST_ERRORS = 1_000;

/** What one worker does again and again. */
export interface Work<T> {
  /** The call itself, all that the latency covers. */
  call(turn: number): Promise<T>;
  /** False counts as an error. */
  isRight(turn: number, answer: T): boolean;
}

export interface LoadResult {
  readonly calls: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly usage: Usage;
}

/** A closed loop: `outstanding` workers with one call each, as long as it is not stopped. */
export class ClosedLoop<T> {
  private histogram = new LatencyHistogram();
  private errors = 0;
  private running = true;
  private readonly workers: Promise<unknown>;

  constructor(
    private readonly work: Work<T>,
    outstanding: number,
  ) {
    this.workers = Promise.all(Array.from({ length: outstanding }, (_, index) => this.turns(index)));
    // counts only while somebody waits
    this.workers.catch(() => {});
  }

  /** Goes on for so long. Rejects at once when a worker failed for good. */
  async during(milliseconds: number): Promise<void> {
    await Promise.race([this.workers, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
  }

  /** The marks are taken under load. */
  async measure(scene: Scene, milliseconds: number): Promise<LoadResult> {
    await scene.begin();
    const measured = new LatencyHistogram();
    this.histogram = measured;
    this.errors = 0;
    const startedAt = performance.now();
    await this.during(milliseconds);
    const elapsedMs = performance.now() - startedAt;
    this.histogram = new LatencyHistogram();
    const { errors } = this;
    const usage = await scene.end();
    const { count: calls } = measured;
    return { calls, elapsedMs, p50Ms: measured.quantile(0.5), p99Ms: measured.quantile(0.99), errors, usage };
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.workers;
  }

  private async turns(first: number): Promise<void> {
    for (let turn = first; this.running; turn++) {
      const startedAt = performance.now();
      try {
        const answer = await this.work.call(turn);
        this.histogram.add(performance.now() - startedAt);
        if (!this.work.isRight(turn, answer)) this.errors++;
      } catch (error) {
        if (++this.errors > MOST_ERRORS) throw error;
      }
    }
  }
}

/** Warms up, measures once, stops. */
export async function runLoad<T>(scene: Scene, work: Work<T>): Promise<LoadResult> {
  const { outstanding, warmUpMs, measureMs } = scene.run;
  const loop = new ClosedLoop(work, outstanding);
  await loop.during(warmUpMs);
  const result = await loop.measure(scene, measureMs);
  await loop.stop();
  return result;
}

/** What a load has shown, as it stands in a measurement. */
export function findingOf(result: LoadResult): Finding {
  const { calls, elapsedMs, p50Ms, p99Ms, errors, usage } = result;
  return {
    rps: (calls / elapsedMs) * 1000,
    p50Ms,
    p99Ms,
    cpuSPer100k: (usage.cpuSeconds / calls) * 100_000,
    rssMb: usage.server.rssMb,
    serverPeakRssMb: usage.server.peakRssMb,
    clientRssMb: usage.client.rssMb,
    clientPeakRssMb: usage.client.peakRssMb,
    foreignCores: usage.foreignCores,
    errors,
  };
}
