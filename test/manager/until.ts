/** Looks again and again, in later turns, until it is so; fails after the hang budget with the text. */
export async function until(isSo: () => boolean, text: string, budgetMs = 30_000): Promise<void> {
  const deadline = performance.now() + budgetMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`still not: ${text}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
