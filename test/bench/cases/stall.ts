import type { GridCall } from 'nestjs-grid/core';
import { connectRaw, countPayload, echoOf, serveRaw } from '../apis/raw.js';
import { Handler } from '../apis/sources.js';
import type { BenchCase } from '../case.js';
import { compare } from '../comparison.js';
import { echoWork } from '../echo-work.js';

const ITEMS = 100_000;
/** So many its consumer takes before it stops. */
const TAKEN = 10;

/** Calls beside one stream that nobody reads. */
export const stall: BenchCase = {
  async serve(_, meeting) {
    await serveRaw(meeting);
    return {};
  },

  async measure(scene) {
    const peer = await connectRaw(scene.meeting);
    let call: GridCall | undefined;
    return await compare(scene, await echoWork(echoOf(peer), scene.run.payload), {
      name: 'a stalled stream',
      async enter() {
        call = peer.stream(Handler.Items, countPayload(ITEMS));
        const reader = call[Symbol.asyncIterator]();
        for (let taken = 0; taken < TAKEN; taken++) await reader.next();
      },
      async leave() {
        call!.cancel();
      },
    });
  },
};
