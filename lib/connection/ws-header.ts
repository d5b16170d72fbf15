/** How the header of a WebSocket frame is made (RFC 6455 §5.2): two bytes, a longer length, a key. */

/** In the first byte: the last frame of a message. */
export const FIN = 0x80;
/** In the first byte: a binary message, or its first frame. */
export const BINARY = 0x02;
/** The first byte of a ping, and of a pong: they are always whole. */
export const PING = 0x89;
export const PONG = 0x8a;

/** In the second byte: it is masked. */
export const MASKED = 0x80;
/** In the second byte: its length, or what says that a longer length follows, of 16 or of 64 bits. */
export const LENGTH = 0x7f;
export const LENGTH_16 = 126;
export const LENGTH_64 = 127;

export const KEY_BYTES = 4;

/** The longest header. */
export const WS_HEADER_MAX = 14;
