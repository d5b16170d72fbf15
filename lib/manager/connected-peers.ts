import type { Link } from './link.js';

/** Resolves when so many of the peers were connected; rejects as soon as one was waited for too long. */
export function connectedPeers(links: readonly Link[], count: number, timeoutMs: number | undefined): Promise<void> {
  const enough = new AbortController();
  let missing = count;
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      enough.abort();
      act();
    };
    for (const link of links) {
      link.waitForConnect({ timeoutMs, signal: enough.signal }).then(
        () => --missing === 0 && settle(resolve),
        (error: unknown) => settle(() => reject(error)),
      );
    }
  });
}
