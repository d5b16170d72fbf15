import { APIS } from '../api-table.js';
import type { BenchCase } from '../case.js';
import { findingOf, runLoad } from '../load.js';

const ITEMS = 10;

/** Short streams: ten messages a call. */
export const stream10: BenchCase = {
  async serve({ api }, meeting) {
    await (await APIS[api].load()).serve(meeting);
    return {};
  },

  async measure(scene) {
    const client = await (await APIS[scene.run.api].load()).connect(scene.meeting);
    const taken = await client.items(ITEMS);
    if (taken !== ITEMS) throw new Error(`${taken} messages came of ${ITEMS}`);
    const work = { call: () => client.items(ITEMS), isRight: (_: number, taken: number) => taken === ITEMS };
    return [findingOf(await runLoad(scene, work))];
  },
};
