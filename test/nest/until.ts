import { setTimeout as pause } from 'node:timers/promises';

/** Longer than anything here takes, short of the test's own limit. */
const HANG_BUDGET_MS = 30_000;

/** Looks again and again until the condition holds; fails with its name when it never does. */
export async function until(name: string, condition: () => boolean): Promise<void> {
  const since = Date.now();
  while (!condition()) {
    if (Date.now() - since > HANG_BUDGET_MS) throw new Error(`never came true: ${name}`);
    await pause(5);
  }
}
