const encoder = new TextEncoder();
// ignoreBOM: a byte order mark is a character of the text like any other
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The payload for `Flag.PayloadIsErr`: `text`, cut to a prefix of whole characters of at most `maxBytes`. */
export function encodeErrorText(text: string, maxBytes: number): Uint8Array {
  const target = new Uint8Array(Math.min(maxBytes, 3 * text.length));
  return target.subarray(0, encoder.encodeInto(text, target).written);
}

/** A text that people read: invalid UTF-8 becomes U+FFFD, a garbled text is better than none. */
export function decodeErrorText(payload: Uint8Array | undefined): string {
  return payload === undefined ? '' : decoder.decode(payload);
}
