import type { FrameSocket } from '../../lib/connection/index.js';

/** A socket on which nothing happens, but for what is given. */
export function silentSocket(given: Partial<FrameSocket>): FrameSocket {
  return { remoteAddress: undefined, send() {}, close() {}, terminate() {}, listen() {}, ...given };
}
