import { lasts } from '../pace.js';

const PROBE_PAUSE_MS = 10;

/** Fails a promise that should long have settled; `what` is looked up only then. */
export async function within<T>(promise: Promise<T>, what: string | (() => string), budgetMs = 30_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`after ${budgetMs} ms: ${typeof what === 'string' ? what : what()}`)),
      budgetMs,
    );
  });
  try {
    return await Promise.race([promise, hung]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again until `probe` gives something; for facts that only polling can tell (another process's state). */
export async function until<T>(
  probe: () => Promise<T | undefined | false>,
  what: string | (() => string),
  budgetMs = 30_000,
): Promise<T> {
  const end = Date.now() + budgetMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`after ${budgetMs} ms: ${typeof what === 'string' ? what : what()}`);
    // each probe costs the other process work
    await lasts(PROBE_PAUSE_MS);
  }
}
