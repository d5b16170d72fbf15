/** What the walks have at one path: one place per walk, undefined where it has nothing. */
export interface MergedEntry<T> {
  readonly path: string;
  readonly found: readonly (T | undefined)[];
}

/**
 * Merges walks that are each ordered by path, holding one entry of each. An error of any walk is an error of the
 * whole: a walk that was cut must never look like one that had no more.
 */
export async function* mergeWalks<T extends { readonly path: string }>(
  walks: readonly AsyncIterable<T>[],
): AsyncGenerator<MergedEntry<T>, void, undefined> {
  const iterators = walks.map((walk) => walk[Symbol.asyncIterator]());
  const heads: (T | undefined)[] = iterators.map(() => undefined);
  const advance = async (index: number): Promise<void> => {
    const before = heads[index];
    const result = await iterators[index]?.next();
    const head = result?.done === false ? result.value : undefined;
    if (head && before && head.path <= before.path) throw new Error(`walk ${index} is out of order at ${head.path}`);
    heads[index] = head;
  };
  try {
    await Promise.all(heads.map((_, index) => advance(index)));
    for (;;) {
      let path: string | undefined;
      for (const head of heads) if (head && (path === undefined || head.path < path)) path = head.path;
      if (path === undefined) return;
      const at = path;
      yield { path: at, found: heads.map((head) => (head?.path === at ? head : undefined)) };
      await Promise.all(heads.map(async (head, index) => head?.path === at && advance(index)));
    }
  } finally {
    // a walk that failed has said so when it was asked for its next entry; nothing hangs on how the others end
    await Promise.allSettled(iterators.map(async (iterator) => iterator.return?.()));
  }
}
