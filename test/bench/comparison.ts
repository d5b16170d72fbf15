import { findingOf, runLoad, type LoadResult, type Work } from './load.js';
import type { Finding } from './measurement.js';
import type { Scene } from './scene.js';
import { spreadOf } from './spread.js';

/** Identical loads, one after the other in one process, differ by up to 7 %. */
const TIMES = 3;

/** A circumstance under which calls are measured. */
export interface Circumstance {
  readonly name: string;
  enter(): Promise<void>;
  leave(): Promise<void>;
  /** Measured for so long in all, where the run's time is too short to show what it costs. */
  readonly measureMs?: number;
  /** How often it is entered. Default: 3. */
  readonly times?: number;
}

/**
 * The same load without a circumstance and with it in turn, in the same processes: without, with, without, with …
 * The second finding holds the ratios of each time with it to the two times without it around it, of which the median
 * counts: so what drifts meanwhile counts for both alike.
 */
export async function compare<T>(
  scene: Scene,
  work: Work<T>,
  { name, enter, leave, measureMs = scene.run.measureMs, times = TIMES }: Circumstance,
): Promise<Finding[]> {
  const half = scene.run.measureMs / 2;
  const without = [await runLoad(scene, work, half)];
  const beside: LoadResult[] = [];
  const figures: Figures[] = [];
  while (beside.length < times) {
    await enter();
    const loaded = await runLoad(scene, work, measureMs);
    await leave();
    const before = without.at(-1)!;
    const after = await runLoad(scene, work, half);
    beside.push(loaded);
    without.push(after);
    figures.push(ratios(findingOf(loaded), findingOf(joined([before, after]))));
  }
  const median = (name: keyof Figures): number => spreadOf(figures.map((each) => each[name])).median;
  const figuresOfAll = { [RATE]: median(RATE), [CPU]: median(CPU), [P99]: median(P99) };
  return [
    { ...findingOf(joined(without)), variant: `without ${name}` },
    { ...findingOf(joined(beside)), variant: `with ${name}`, figures: figuresOfAll },
  ];
}

const RATE = 'x rate';
const CPU = 'x CPU per call';
const P99 = 'x p99';

type Figures = Record<typeof RATE | typeof CPU | typeof P99, number>;

function ratios(beside: ReturnType<typeof findingOf>, without: ReturnType<typeof findingOf>): Figures {
  return {
    [RATE]: beside.rps / without.rps,
    [CPU]: beside.cpuSPer100k / without.cpuSPer100k,
    [P99]: beside.p99Ms / without.p99Ms,
  };
}

function joined(results: readonly LoadResult[]): LoadResult {
  return results.reduce((one, other) => {
    const cpuSeconds = one.usage.cpuSeconds + other.usage.cpuSeconds;
    const foreignCores = Math.max(one.usage.foreignCores, other.usage.foreignCores);
    return {
      latencies: one.latencies.with(other.latencies),
      elapsedMs: one.elapsedMs + other.elapsedMs,
      errors: one.errors + other.errors,
      usage: { ...other.usage, cpuSeconds, foreignCores },
    };
  });
}
