import { BufferView } from './frame-view.js';

/** Up to so many bytes a text is put together here: cheaper than the call into the runtime. */
const SHORT_TEXT = 32;

/** What a decoder writes for bytes that are no UTF-8. */
const REPLACED = '\u{FFFD}';

// ignoreBOM: a byte order mark is a character of the text like any other
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes that are there; what is no UTF-8 is replaced. */
export function readText(bytes: Buffer, start: number, length: number): string {
  return shortText(bytes, start, length) ?? bytes.toString('utf8', start, start + length);
}

/** The same; throws a TypeError for what is no UTF-8. */
export function readStrictText(bytes: Uint8Array, start: number, length: number): string {
  const short = shortText(bytes, start, length);
  if (short !== undefined) return short;
  const view = new BufferView(bytes.buffer, bytes.byteOffset + start, length);
  const text = view.toString('utf8');
  // the decoder that refuses takes longer; the bytes may spell that character, too
  return text.includes(REPLACED) ? strictUtf8.decode(view) : text;
}

/** undefined for longer text and where a byte is not ASCII. */
function shortText(bytes: Uint8Array, start: number, length: number): string | undefined {
  return length <= SHORT_TEXT ? asciiText(bytes, start, start + length) : undefined;
}

/** undefined where a byte is not ASCII. Eight at a time, for each call makes a string. */
function asciiText(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = '';
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const a = bytes[at]!;
    const b = bytes[at + 1]!;
    const c = bytes[at + 2]!;
    const d = bytes[at + 3]!;
    const e = bytes[at + 4]!;
    const f = bytes[at + 5]!;
    const g = bytes[at + 6]!;
    const h = bytes[at + 7]!;
    if ((a | b | c | d | e | f | g | h) >= 0x80) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  if (at + 4 <= end) {
    const a = bytes[at]!;
    const b = bytes[at + 1]!;
    const c = bytes[at + 2]!;
    const d = bytes[at + 3]!;
    if ((a | b | c | d) >= 0x80) return undefined;
    text += String.fromCharCode(a, b, c, d);
    at += 4;
  }
  for (; at < end; at++) {
    const unit = bytes[at]!;
    if (unit >= 0x80) return undefined;
    text += String.fromCharCode(unit);
  }
  return text;
}
