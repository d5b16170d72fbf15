import { findingOf, runLoad, type LoadResult, type Work } from './load.js';
import type { Finding } from './measurement.js';
import type { Scene } from './scene.js';

/** A circumstance under which calls are measured. */
export interface Circumstance {
  readonly name: string;
  enter(): Promise<void>;
  leave(): Promise<void>;
  /** Measured for so long in all, where the run's time is too short to show what it costs. */
  readonly measureMs?: number;
}

/**
 * The same load without a circumstance and with it, in the same processes: without, with, without. What drifts meanwhile
 * counts for both alike. The second finding holds the ratios of the two.
 */
export async function compare<T>(
  scene: Scene,
  work: Work<T>,
  { name, enter, leave, measureMs = scene.run.measureMs }: Circumstance,
): Promise<Finding[]> {
  const half = scene.run.measureMs / 2;
  const before = await runLoad(scene, work, half);
  await enter();
  const loaded = await runLoad(scene, work, measureMs);
  await leave();
  const after = await runLoad(scene, work, half);
  const without = findingOf(joined(before, after));
  const beside = findingOf(loaded);
  const figures = {
    'x rate': beside.rps / without.rps,
    'x CPU per call': beside.cpuSPer100k / without.cpuSPer100k,
    'x p99': beside.p99Ms / without.p99Ms,
  };
  return [
    { ...without, variant: `without ${name}` },
    { ...beside, variant: `with ${name}`, figures },
  ];
}

function joined(one: LoadResult, other: LoadResult): LoadResult {
  const cpuSeconds = one.usage.cpuSeconds + other.usage.cpuSeconds;
  const foreignCores = Math.max(one.usage.foreignCores, other.usage.foreignCores);
  return {
    latencies: one.latencies.with(other.latencies),
    elapsedMs: one.elapsedMs + other.elapsedMs,
    errors: one.errors + other.errors,
    usage: { ...other.usage, cpuSeconds, foreignCores },
  };
}
