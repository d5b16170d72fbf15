import { APIS } from '../api-table.js';
import type { BenchCase } from '../case.js';
import { memoryOf } from '../load.js';
import type { Finding } from '../measurement.js';
import { named, scaled } from '../run.js';

const WARM_UP_ITEMS = 10_000;
/** The second is twice the first: it shows whether the time grows with the count alone. */
const COUNTS = [100_000, 200_000];

/** One stream of many messages. */
export const long: BenchCase = {
  async serve({ api }, meeting) {
    await (await APIS[api].load()).serve(meeting);
    return {};
  },

  async measure(scene) {
    const client = await (await APIS[scene.run.api].load()).connect(scene.meeting);
    await client.items(scaled(scene.run, WARM_UP_ITEMS));
    const findings: Finding[] = [];
    for (const full of COUNTS) {
      const count = scaled(scene.run, full);
      await scene.begin();
      const startedAt = performance.now();
      const taken = await client.items(count);
      const seconds = (performance.now() - startedAt) / 1000;
      const usage = await scene.end();
      findings.push({
        variant: `${named(full)} messages`,
        rps: taken / seconds,
        cpuSPer100k: (usage.cpuSeconds / taken) * 100_000,
        ...memoryOf(usage),
        foreignCores: usage.foreignCores,
        errors: taken === count ? 0 : 1,
        figures: { seconds, 'MB more at the server': usage.serverGrowthMb },
      });
    }
    return findings;
  },
};
