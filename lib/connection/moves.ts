import type { FrameSocket, Traffic } from './message-socket.js';

/** More than the pings of a peer and the ends of its calls have in a quarter of a ping's interval. */
const MUCH_BYTES = 4 * 1024;

const NOTHING: Traffic = Object.freeze({ read: 0, taken: 0, waiting: 0 });

/**
 * Tells, each time, whether the peer was heard since the last time: much has come, or the system took more of what
 * waits. As long as nothing waits it takes all there is, whether the peer lives or not.
 */
export function movesOf(socket: FrameSocket): () => boolean {
  let last = NOTHING;
  return () => {
    const before = last;
    last = socket.traffic?.() ?? NOTHING;
    return last.read - before.read > MUCH_BYTES || (before.waiting > 0 && last.taken > before.taken);
  };
}
