import { APIS } from '../api-table.js';
import type { BenchCase } from '../case.js';
import { echoWork } from '../echo-work.js';
import { findingOf, runLoad } from '../load.js';

/** Echo of one payload, through every door. */
export const unary: BenchCase = {
  async serve({ api }, meeting) {
    await (await APIS[api].load()).serve(meeting);
    return {};
  },

  async measure(scene) {
    const { api, payload } = scene.run;
    const client = await (await APIS[api].load()).connect(scene.meeting);
    return [findingOf(await runLoad(scene, await echoWork(client, payload)))];
  },
};
