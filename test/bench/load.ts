import { randomBytes } from 'node:crypto';
import type { Echo } from './case.js';
import { LatencyHistogram } from './latency-histogram.js';

export const PAYLOAD_BYTES = 512;
const PAYLOADS = 64;
/** Of the calls under load, one in this many is compared byte for byte. */
const CHECK_EVERY = 1024;

export interface Load {
  /** Calls that are out at any time. */
  readonly outstanding: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface LoadResult {
  readonly calls: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * A closed loop: `outstanding` workers with one call each. `mark` is awaited right before and right after the measured
 * time; workers go on calling meanwhile, so that the marks are taken under load.
 */
export async function runLoad(
  echo: Echo,
  load: Load,
  mark: (at: 'begin' | 'end') => Promise<void>,
): Promise<LoadResult> {
  const payloads = Array.from({ length: PAYLOADS }, () => new Uint8Array(randomBytes(PAYLOAD_BYTES)));
  for (const payload of payloads) check(payload, await echo(payload));

  let running = true;
  let histogram = new LatencyHistogram();
  const worker = async (first: number): Promise<void> => {
    for (let turn = first; running; turn++) {
      const payload = payloads[turn % PAYLOADS]!;
      const startedAt = performance.now();
      const answer = await echo(payload);
      histogram.add(performance.now() - startedAt);
      if (turn % CHECK_EVERY === 0) check(payload, answer);
    }
  };
  const workers = Promise.all(Array.from({ length: load.outstanding }, (_, index) => worker(index)));
  // a worker that failed ends the run at once, not at the end of the measured time
  const during = async (milliseconds: number): Promise<void> => {
    await Promise.race([workers, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
  };

  await during(load.warmUpMs);
  await mark('begin');
  histogram = new LatencyHistogram();
  const measured = histogram;
  const startedAt = performance.now();
  await during(load.measureMs);
  const elapsedMs = performance.now() - startedAt;
  histogram = new LatencyHistogram();
  await mark('end');
  running = false;
  await workers;
  return { calls: measured.count, elapsedMs, p50Ms: measured.quantile(0.5), p99Ms: measured.quantile(0.99) };
}

function check(sent: Uint8Array, got: Uint8Array): void {
  if (Buffer.compare(sent, got) !== 0) throw new Error('an echo came back different');
}
