import type { ApiClient } from '../api.js';
import { APIS } from '../api-table.js';
import type { BenchCase } from '../case.js';
import { findingOf, runLoad } from '../load.js';
import type { Finding } from '../measurement.js';

const ITEMS = 10;

/** Short streams: ten messages a call, from each source that the way of calling knows. */
export const stream10: BenchCase = {
  async serve({ api }, meeting) {
    await (await APIS[api].load()).serve(meeting);
    return {};
  },

  async measure(scene) {
    const client = await (await APIS[scene.run.api].load()).connect(scene.meeting);
    const findings: Finding[] = [];
    for (const [variant, items] of sourcesOf(client)) {
      const taken = await items(ITEMS);
      if (taken !== ITEMS) throw new Error(`${taken} messages came of ${ITEMS}`);
      const work = { call: () => items(ITEMS), isRight: (_: number, taken: number) => taken === ITEMS };
      findings.push({ variant, ...findingOf(await runLoad(scene, work)) });
    }
    return findings;
  },
};

type Items = (count: number) => Promise<number>;

function sourcesOf(client: ApiClient): [variant: string, items: Items][] {
  const { observed } = client;
  const items: Items = (count) => client.items(count);
  return observed ? [['Observable', observed], ['generator', items]] : [['', items]];
}
