import { LatencyHistogram } from './latency-histogram.js';
import type { Finding } from './measurement.js';
import type { Scene, Usage } from './scene.js';

/** After so many failed calls a run is broken, not slow. */
const MOST_ERRORS = 1_000;

/**
 * Calls out while a load warms up, if it has fewer of its own: with one at a time few thousand calls would be made in
 * that time, and what is measured then is the compiler.
 */
const WARM_UP_OUTSTANDING = 64;

/** What part of the warm-up the measured load itself gets before its first mark. */
const SETTLING = 8;

/** What one worker does again and again. */
export interface Work<T> {
  /** The call itself, all that the latency covers. */
  call(turn: number): Promise<T>;
  /** False counts as an error. */
  isRight(turn: number, answer: T): boolean;
}

export interface LoadResult {
  readonly latencies: LatencyHistogram;
  readonly elapsedMs: number;
  readonly errors: number;
  readonly usage: Usage;
}

/**
 * A closed loop: `outstanding` workers with one call each, as long as it is not stopped. A failure is told to who waits
 * for it; where nobody does, it ends the process and by it the benchmark.
 */
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
    return { latencies: measured, elapsedMs, errors, usage };
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

/** Warms up, measures once, stops. `measureMs`: where not the run's. */
export async function runLoad<T>(
  scene: Scene,
  work: Work<T>,
  measureMs: number = scene.run.measureMs,
): Promise<LoadResult> {
  const { outstanding, warmUpMs } = scene.run;
  const warmUp = new ClosedLoop(work, Math.max(outstanding, WARM_UP_OUTSTANDING));
  await warmUp.during(warmUpMs);
  await warmUp.stop();
  const loop = new ClosedLoop(work, outstanding);
  await loop.during(warmUpMs / SETTLING);
  const result = await loop.measure(scene, measureMs);
  await loop.stop();
  return result;
}

/** What a load has shown, as it stands in a measurement. */
export function findingOf({ latencies, elapsedMs, errors, usage }: LoadResult) {
  return {
    rps: (latencies.count / elapsedMs) * 1000,
    p50Ms: latencies.quantile(0.5),
    p99Ms: latencies.quantile(0.99),
    cpuSPer100k: (usage.cpuSeconds / latencies.count) * 100_000,
    ...memoryOf(usage),
    foreignCores: usage.foreignCores,
    errors,
  } satisfies Finding;
}

/** The resident memory of both processes, as it stands in a measurement. */
export function memoryOf({ server, client }: Usage) {
  return {
    rssMb: server.rssMb,
    serverPeakRssMb: server.peakRssMb,
    clientRssMb: client.rssMb,
    clientPeakRssMb: client.peakRssMb,
  } satisfies Finding;
}
