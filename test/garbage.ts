import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { until } from './until.js';

setFlagsFromString('--expose-gc');

const collect = runInNewContext('gc') as () => void;

/**
 * A full collection, in a process that was not started with `--expose-gc`. The first one may only end one that was
 * under way, which keeps all that was made meanwhile.
 */
export function collectGarbage(): void {
  collect();
  collect();
}

/**
 * A full collection whose finalizers have run. They do so some time after it; what tells is the finalizer of an object
 * that goes with the others.
 */
export async function finalizeGarbage(): Promise<void> {
  let finalized = false;
  const registry = new FinalizationRegistry(() => {
    finalized = true;
  });
  dropInto(registry);
  collectGarbage();
  await until(() => finalized, 'finalized');
}

/** In a function of its own: nothing on the stack holds the object after it. */
function dropInto(registry: FinalizationRegistry<undefined>): void {
  registry.register({}, undefined);
}
