import { setImmediate as nextTurn } from 'node:timers/promises';

/** Bytes that the process really uses, buffers included: what is left after collecting. */
export async function heapBytes(): Promise<number> {
  // what the first round lets go (weak references, finalizers) the second one collects
  for (let round = 0; round < 2; round++) {
    globalThis.gc!();
    await nextTurn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
