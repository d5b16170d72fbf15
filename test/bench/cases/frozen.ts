import { setTimeout as delay } from 'node:timers/promises';
import { GridError, type GridPeer } from 'nestjs-grid/core';
import { connectRaw, countPayload, serveRaw } from '../apis/raw.js';
import { Handler, tally } from '../apis/sources.js';
import { connectNest, serveNest } from '../apis/nest.js';
import type { BenchCase } from '../case.js';
import type { Finding } from '../measurement.js';
import { scaled } from '../run.js';
import type { Scene } from '../scene.js';

const ITEMS = 100_000;
/** So many the consumer takes before it stops. */
const TAKEN = 100;
/** A producer that has made nothing for so long has stopped. */
const STILL_MS = 250;

/** A consumer that stops: how far ahead of it a source gets. */
export const frozen: BenchCase = {
  async serve({ api }, meeting) {
    await (api === 'nest' ? serveNest(meeting) : serveRaw(meeting));
    return { produced: () => tally.produced };
  },

  async measure(scene) {
    const { api } = scene.run;
    const { meeting } = scene;
    const peer = api === 'nest' ? (await connectNest(meeting)).unwrap() : await connectRaw(meeting);
    const count = scaled(scene.run, ITEMS);
    // the codec of a Nest app takes the number itself
    const payload = api === 'nest' ? count : countPayload(count);
    return [
      { variant: 'generator', ...(await freeze(scene, peer, Handler.Items, payload, false)) },
      { variant: 'Observable', ...(await freeze(scene, peer, Handler.PushedItems, payload, true)) },
    ];
  },
};

/** `overflows`: the source cannot rest, so the stream has to end with an error behind what waits. */
async function freeze(
  scene: Scene,
  peer: GridPeer,
  handler: number,
  payload: unknown,
  overflows: boolean,
): Promise<Finding> {
  const before = await scene.ask('produced');
  const call = peer.stream(handler, payload);
  const reader = call[Symbol.asyncIterator]();
  for (let taken = 0; taken < TAKEN; taken++) await reader.next();
  const ahead = (await settled(scene)) - before - TAKEN;
  const figures = { 'produced and not consumed': ahead };
  if (!overflows) {
    call.cancel();
    return { figures };
  }
  const error = await failure(reader);
  const right = GridError.is(error) && error.code === 'RESOURCE_EXHAUSTED';
  return { errors: right ? 0 : 1, figures: { ...figures, 'RESOURCE_EXHAUSTED behind them': right ? 1 : 0 } };
}

/** What reading on ends with. */
async function failure(reader: AsyncIterator<unknown>): Promise<unknown> {
  try {
    while (!(await reader.next()).done);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** What was produced when nothing more is. */
async function settled(scene: Scene): Promise<number> {
  let last = -1;
  let stillSince = performance.now();
  for (;;) {
    const produced = await scene.ask('produced');
    const now = performance.now();
    if (produced !== last) stillSince = now;
    else if (now - stillSince >= STILL_MS) return produced;
    last = produced;
    await delay(10);
  }
}
