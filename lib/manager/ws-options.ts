/** The same on both ends. */
export const WS_OPTIONS = Object.freeze({
  perMessageDeflate: false,
  /**
   * We send every frame whole; others may cut theirs by a write buffer of some KiB. More pieces are an attack on the
   * receiver's memory.
   */
  maxFragments: 16_384,
  /**
   * Pieces from the network that wait for the rest of their message, where `ws` reads itself: from the first fragment
   * on, and where somebody else listens to its socket. Each costs an object beside its bytes. A message that is whole
   * in one frame goes past `ws` and keeps no pieces.
   */
  maxBufferedChunks: 32_768,
  /** Milliseconds that a closed socket waits for the other end's close frame. */
  closeTimeout: 750,
});
