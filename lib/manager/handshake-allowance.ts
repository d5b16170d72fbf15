import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { CloseCode } from '../wire/index.js';

/**
 * So much of a dialer is read before it is let in. Connect takes some hundred bytes; calls sent in haste have 64 KiB.
 */
const ALLOWED_BYTES = 128 * 1_024;
/** What a piece from the network costs beside its bytes where `ws` keeps it, which is in fragments. */
const PIECE_BYTES = 32;

/**
 * Closes a WebSocket with 1009 whose other end sends too much before it is let in. Messages are gathered up to
 * `limits.frameBytes`, and that cap cannot grow once the dialer is known; so the bytes are counted as they come. The
 * returned function ends it. To be called in the turn in which the WebSocket opens.
 */
export function allowHandshake(ws: WebSocket, wire: Duplex, onExcess: (reason: string) => void): () => void {
  let bytes = 0;
  const end = (): void => void wire.off('data', count);
  const count = (piece: Uint8Array): void => {
    bytes += piece.length + PIECE_BYTES;
    if (bytes <= ALLOWED_BYTES) return;
    end();
    const reason = `more than ${ALLOWED_BYTES} bytes before the end of the handshake`;
    onExcess(reason);
    ws.close(CloseCode.TooBig, reason);
    // while the goodbye is on its way nothing more is read
    ws.pause();
  };
  wire.on('data', count);
  return end;
}
