/** Runs `work` on each item, so many at a time. Rejects with the first failure; no new item is begun after it. */
export async function runAll<T>(
  items: Iterable<T>,
  workers: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let index = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed) {
      const { value, done } = iterator.next();
      if (done) return;
      try {
        await work(value, index++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
}
