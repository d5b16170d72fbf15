import { APIS } from '../api-table.js';
import type { BenchCase } from '../case.js';
import { compare } from '../comparison.js';
import { echoWork } from '../echo-work.js';
import { ClosedLoop } from '../load.js';

const BIG_BYTES = 1024 * 1024;

/** Small calls beside one of 1 MiB that is always under way. */
export const big: BenchCase = {
  async serve({ api }, meeting) {
    await (await APIS[api].load()).serve(meeting);
    return {};
  },

  async measure(scene) {
    const client = await (await APIS[scene.run.api].load()).connect(scene.meeting);
    const small = await echoWork(client, scene.run.payload);
    const large = await echoWork(client, BIG_BYTES);
    let loop: ClosedLoop<Uint8Array> | undefined;
    let bigCalls = 0;
    let startedAt = 0;
    let seconds = 0;
    const findings = await compare(scene, small, {
      name: '1 MiB calls',
      // after some 20 s of these V8 marks again and again: docs/PERFORMANCE.md, "4 KiB and 1 MiB"
      times: 1,
      async enter() {
        startedAt = performance.now();
        loop = new ClosedLoop({ ...large, isRight: (turn, answer) => (bigCalls++, large.isRight(turn, answer)) }, 1);
      },
      async leave() {
        await loop!.stop();
        seconds = (performance.now() - startedAt) / 1000;
      },
    });
    return findings.map((finding) =>
      finding.figures ? { ...finding, figures: { ...finding.figures, 'MiB/s each way': bigCalls / seconds } } : finding,
    );
  },
};
