import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRaw, serveRaw } from '../apis/raw.js';
import { Handler } from '../apis/sources.js';
import type { BenchCase } from '../case.js';
import { heapBytes } from '../heap.js';
import { memoryOf } from '../load.js';
import { rotatingPayloads } from '../payloads.js';
import { scaled } from '../run.js';

const CALLS = 1_000_000;
/** Before the base line: everything that is made once is there then. */
const WARM_UP_CALLS = 100_000;
const HOUR_MS = 3_600_000;
/** So long after its last write a connection has no timer that watches it: a quarter of `writeTimeoutMs`, and more. */
const REST_MS = 2_000;

function timers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}

/** Calls that could wait for an hour and do not: what of them stays behind. */
export const memory: BenchCase = {
  async serve(_, meeting) {
    await serveRaw(meeting);
    return { heap: heapBytes, timers };
  },

  async measure(scene) {
    const { run } = scene;
    const peer = await connectRaw(scene.meeting);
    const payloads = rotatingPayloads(run.payload);
    const { signal } = new AbortController();
    let errors = 0;
    const calls = async (count: number): Promise<void> => {
      let started = 0;
      const worker = async (): Promise<void> => {
        while (started < count) {
          const payload = payloads[started++ % payloads.length]!;
          const answer = await peer.request<Uint8Array>(Handler.Echo, payload, { timeoutMs: HOUR_MS, signal });
          if (answer.length !== payload.length) errors++;
        }
      };
      await Promise.all(Array.from({ length: run.outstanding }, worker));
    };
    const left = async (): Promise<Record<'client' | 'server' | 'timers' | 'listeners', number>> => {
      await delay(REST_MS);
      return {
        client: (await heapBytes()) / 1024,
        server: (await scene.ask('heap')) / 1024,
        timers: timers() + (await scene.ask('timers')),
        listeners: getEventListeners(signal, 'abort').length,
      };
    };

    await calls(scaled(run, WARM_UP_CALLS));
    const base = await left();
    await scene.begin();
    const startedAt = performance.now();
    const count = scaled(run, CALLS);
    await calls(count);
    const seconds = (performance.now() - startedAt) / 1000;
    const usage = await scene.end();
    const after = await left();
    const figures = {
      'KiB more, client': after.client - base.client,
      'KiB more, server': after.server - base.server,
      'timers more': after.timers - base.timers,
      'listeners more': after.listeners - base.listeners,
    };
    const cpuSPer100k = (usage.cpuSeconds / count) * 100_000;
    const { foreignCores } = usage;
    return [{ rps: count / seconds, cpuSPer100k, ...memoryOf(usage), foreignCores, errors, figures }];
  },
};
