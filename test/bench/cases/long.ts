import type { ApiClient } from '../api.js';
import { APIS } from '../api-table.js';
import type { BenchCase } from '../case.js';
import { memoryOf } from '../load.js';
import type { Finding } from '../measurement.js';
import { named, scaled } from '../run.js';

const WARM_UP_ITEMS = 10_000;
/** The second is twice the first: it shows whether the time grows with the count alone. */
const COUNTS = [100_000, 200_000];

/** One stream of many messages, again and again. */
export const long: BenchCase = {
  async serve({ api }, meeting) {
    await (await APIS[api].load()).serve(meeting);
    return {};
  },

  async measure(scene) {
    const client = await (await APIS[scene.run.api].load()).connect(scene.meeting);
    const { run } = scene;
    await streams(client, scaled(run, WARM_UP_ITEMS), run.warmUpMs);
    const findings: Finding[] = [];
    for (const full of COUNTS) {
      const count = scaled(run, full);
      await scene.begin();
      const { seconds, made, taken } = await streams(client, count, run.measureMs);
      const usage = await scene.end();
      findings.push({
        variant: `${named(full)} messages`,
        rps: taken / seconds,
        cpuSPer100k: (usage.cpuSeconds / taken) * 100_000,
        ...memoryOf(usage),
        foreignCores: usage.foreignCores,
        errors: taken === made * count ? 0 : 1,
        figures: { seconds: seconds / made, 'MB more at the server': usage.serverGrowthMb },
      });
    }
    return findings;
  },
};

/** Streams of so many messages, one after the other, until the time has passed: at least one. */
async function streams(client: Pick<ApiClient, 'items'>, count: number, milliseconds: number) {
  const startedAt = performance.now();
  let made = 0;
  let taken = 0;
  let elapsedMs: number;
  do {
    taken += await client.items(count);
    made++;
    elapsedMs = performance.now() - startedAt;
  } while (elapsedMs < milliseconds);
  return { made, taken, seconds: elapsedMs / 1000 };
}
