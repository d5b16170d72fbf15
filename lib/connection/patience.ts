import type { Clock, Timer } from '../time/index.js';
import type { FrameSocket } from './message-socket.js';

/** How long a peer has to answer a goodbye. */
const GOODBYE_MS = 750;

/** Drops a socket that is being closed when the peer does not answer soon. Cancel it once the socket is closed. */
export function patienceWith(socket: FrameSocket, clock: Clock): Timer {
  return clock.setTimer(GOODBYE_MS, () => socket.terminate());
}
