import type { Clock } from '../time/index.js';
import type { OpenCalls } from './grid-stats.js';
import type { PeerLink } from './peer-link.js';

/**
 * What a drain waits for (running handlers of all connections, events, queues) tells nobody in common: it is looked at.
 */
const LOOK_MS = 20;

/**
 * Resolves with true when nothing is busy any more, and was not after `confirm` either, which asks the peers whether
 * they have what was sent last; with false when the time is up. What the system has taken may be on its way for seconds
 * on a slow link, and is lost if the peer sends anything to a socket that is closed.
 */
export async function drained(
  isBusy: () => boolean,
  confirm: () => void,
  clock: Clock,
  timeoutMs: number,
): Promise<boolean> {
  const until = clock.now() + timeoutMs;
  const quiet = async (): Promise<boolean> => {
    while (isBusy()) {
      const leftMs = until - clock.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => clock.setTimer(Math.min(LOOK_MS, leftMs), resolve));
    }
    return true;
  };
  if (!(await quiet())) return false;
  confirm();
  return quiet();
}

/**
 * True while handlers run, calls are open, answers wait to be written, a peer may not have heard of the drain or not
 * have what was sent since, or may have taken a connection of ours for made.
 */
export function isBusy(own: OpenCalls, links: readonly PeerLink[]): boolean {
  // of a local call the answer is still on its way when its handler has ended
  if (own.running > 0 || own.outgoing > 0) return true;
  return links.some((link) => {
    // a handler may outlive the connection of its call
    if (link.load.running > 0 || isUnheard(link)) return true;
    if (!link.connection) return false;
    const { mux, queuedMessages } = link.connection;
    return mux.incoming > 0 || mux.outgoing > 0 || queuedMessages > 0;
  });
}

/** The peer may not have heard of the drain or not have all, or may have taken a connection of ours for made. */
export function isUnheard({ connection, greeting }: PeerLink): boolean {
  return connection ? connection.drainPending : greeting;
}
