import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;

/** Calls `attempt` until it does not throw any more; after `ms` rejects with what was waited for and the last error. */
export async function until<T>(ms: number, what: string, attempt: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + ms;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > giveUpAt) {
        throw new Error(`waited ${ms} ms for ${what}: ${(error as Error).message}`, { cause: error });
      }
    }
    await delay(LOOK_EVERY_MS);
  }
}
