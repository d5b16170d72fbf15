import { turn } from './turn.js';
/** Longer than anything takes that is waited for, short of a test's own limit. */
const HANG_BUDGET_MS = 30_000;

/**
 * Looks again in each turn of the event loop until it is so; fails after the hang budget with what did not come. For
 * facts of this process that no event tells. What another process has to be asked for: `conformance/hang-budget.ts`.
 */
export async function until(isSo: () => boolean, text = String(isSo), budgetMs = HANG_BUDGET_MS): Promise<void> {
  const giveUpAt = performance.now() + budgetMs;
  while (!isSo()) {
    if (performance.now() > giveUpAt) throw new Error(`after ${budgetMs} ms still not: ${text}`);
    await turn();
  }
}
